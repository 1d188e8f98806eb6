package ci

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/samforge/samforge/internal/build"
	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/internal/registry"
	"github.com/samforge/samforge/internal/userfile"
)

// amazonSettings are the settings of Amazon ECR.
func amazonSettings() []Setting {
	return []Setting{
		text("PLUGIN_REGION ECR_REGION AWS_REGION AWS_DEFAULT_REGION", "that of PLUGIN_REGISTRY", "Region of Amazon ECR", func(s *Step) *string { return &s.aws.Region }),
		text("PLUGIN_ACCOUNT PLUGIN_ACCOUNT_ID", "", "AWS account whose registry is meant where PLUGIN_REGISTRY names none", func(s *Step) *string { return &s.account }),
		text("PLUGIN_ACCESS_KEY ECR_ACCESS_KEY AWS_ACCESS_KEY_ID", "those of the environment, the instance or the pod", "Access key of AWS", func(s *Step) *string { return &s.aws.AccessKey }),
		text("PLUGIN_SECRET_KEY ECR_SECRET_KEY AWS_SECRET_ACCESS_KEY", "", "Secret key of AWS", func(s *Step) *string { return &s.aws.SecretKey }),
		text("PLUGIN_SESSION_TOKEN AWS_SESSION_TOKEN", "", "Session token of temporary keys", func(s *Step) *string { return &s.aws.SessionToken }),
		text("PLUGIN_ASSUME_ROLE PLUGIN_USER_ROLE_ARN", "", "ARN of a role to assume, with the keys or with PLUGIN_OIDC_TOKEN_ID", func(s *Step) *string { return &s.aws.Role }),
		text("PLUGIN_EXTERNAL_ID PLUGIN_USER_ROLE_EXTERNAL_ID", "", "External ID that the trust policy of the role asks for", func(s *Step) *string { return &s.aws.ExternalID }),
		text("PLUGIN_OIDC_TOKEN_ID", "", "OpenID Connect token that PLUGIN_ASSUME_ROLE is assumed with, or that is exchanged at Google or at Azure", func(s *Step) *string { return &s.oidcToken }),
		boolean("PLUGIN_CREATE_REPOSITORY ECR_CREATE_REPOSITORY", "false", "Create the repository on Amazon ECR if it is missing, and those of caches", func(s *Step) *bool { return &s.createRepository }),
		boolean("PLUGIN_SCAN_ON_PUSH", "false", "Create the repository with a scan of each image that is pushed", func(s *Step) *bool { return &s.repositories.ScanOnPush }),
		text("PLUGIN_LIFECYCLE_POLICY", "", "File with the lifecycle policy of the repository, as JSON", func(s *Step) *string { return &s.lifecyclePolicy }),
		text("PLUGIN_REPOSITORY_POLICY", "", "File with the policy of the repository, as JSON", func(s *Step) *string { return &s.repositoryPolicy }),
	}
}

// called are the names of the settings of an AWS identity in this step.
func called(setting string) string {
	name := map[string]string{
		registry.SettingRegion: "PLUGIN_REGION", registry.SettingAccessKey: "PLUGIN_ACCESS_KEY", registry.SettingSecretKey: "PLUGIN_SECRET_KEY",
		registry.SettingRole: "PLUGIN_ASSUME_ROLE", registry.SettingExternalID: "PLUGIN_EXTERNAL_ID", registry.SettingIDToken: "PLUGIN_OIDC_TOKEN_ID",
	}[setting]
	if name == "" {
		return setting
	}
	return name
}

// findRegistry finds the registry of an account on Amazon ECR, where only the account or settings of
// ECR alone are given.
func (s *Step) findRegistry(ctx context.Context) error {
	s.aws.Called = called
	if s.poolID == "" && !s.tokenForAzure() {
		s.aws.IDToken = s.oidcToken
	}
	if s.aws.IDToken != "" && s.environment["PLUGIN_ACCESS_KEY"] == "" {
		s.aws.AccessKey, s.aws.SecretKey, s.aws.SessionToken = "", "", "" // of the pod's environment
	}
	if err := s.aws.Check(); err != nil {
		return project.BadInput(err)
	}
	ofECR := s.account != "" || s.createRepository || s.aws.Role != "" || s.environment["PLUGIN_ACCESS_KEY"] != ""
	if s.registry != "" || !ofECR || s.repo == "" || namesRegistry(s.repo) {
		return nil
	}
	if s.account != "" {
		if s.aws.Region == "" {
			return project.BadInput(errors.New("PLUGIN_ACCOUNT needs a region: set PLUGIN_REGION"))
		}
		if strings.Trim(s.account, "0123456789") != "" || len(s.account) != 12 {
			return project.BadInput(fmt.Errorf("PLUGIN_ACCOUNT: %q is not the number of an AWS account, which has 12 digits", s.account))
		}
		s.registry = registry.ECRHost(s.account, s.aws.Region)
		return nil
	}
	host, err := s.aws.Account(ctx)
	if registry.BadSettings(err) {
		err = project.BadInput(err)
	}
	s.registry = host
	return err
}

// namesRegistry reports whether a repository has its registry in front.
func namesRegistry(repo string) bool {
	first, _, ok := strings.Cut(repo, "/")
	return ok && (strings.ContainsAny(first, ".:") || first == "localhost")
}

// prepareRepositories makes the repositories on Amazon ECR of images and caches ready for the push.
func (s *Step) prepareRepositories(ctx context.Context, images []project.Dockerfile, note func(sentence string)) error {
	if !s.pushes() || !s.createRepository && s.lifecyclePolicy == "" && s.repositoryPolicy == "" {
		return nil
	}
	settings := s.repositories
	for name, policy := range map[string]struct {
		path string
		text *string
	}{
		"PLUGIN_LIFECYCLE_POLICY":  {s.lifecyclePolicy, &settings.LifecyclePolicy},
		"PLUGIN_REPOSITORY_POLICY": {s.repositoryPolicy, &settings.Policy},
	} {
		if policy.path == "" {
			continue
		}
		data, err := userfile.Read(policy.path, 1<<20)
		if err != nil {
			return project.BadInput(fmt.Errorf("%s: %w", name, err))
		}
		*policy.text = string(data)
	}
	repositories := registry.Repositories{AWS: s.aws, Settings: settings, Create: s.createRepository, Note: note}
	refs := references(images)
	err := repositories.Prepare(ctx, refs...)
	if err == nil {
		_, to, cacheErr := s.caches()
		if cacheErr != nil {
			return project.BadInput(cacheErr)
		}
		for _, image := range images {
			to = append(to, image.Own.CacheTo...)
		}
		err = repositories.PrepareCaches(ctx, refs, build.RegistryCaches(to))
	}
	if registry.BadSettings(err) {
		err = project.BadInput(err)
	}
	return err
}
