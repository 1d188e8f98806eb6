package ci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

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
	s.oneIdentity()
	if s.poolID == "" && !s.tokenForAzure() {
		s.aws.IDToken = s.oidcToken
	}
	if s.aws.IDToken != "" && s.environment["PLUGIN_ACCESS_KEY"] == "" {
		s.aws.AccessKey, s.aws.SecretKey, s.aws.SessionToken = "", "", "" // of the pod's environment
	}
	if err := s.aws.Check(); err != nil {
		return project.BadInput(err)
	}
	ofECR := s.account != "" || s.createRepository || s.aws.Role != "" || s.environment["PLUGIN_ACCESS_KEY"] != "" || s.environment["PLUGIN_REGION"] != "" && s.push == login{}
	if s.registry != "" || !ofECR || s.repo == "" || namesRegistry(s.repo) {
		return nil
	}
	if s.aws.Region != "" && !region.MatchString(s.aws.Region) {
		return project.BadInput(fmt.Errorf("PLUGIN_REGION: %q is no region of AWS, such as eu-central-1", s.aws.Region))
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

// region matches a region of AWS.
var region = regexp.MustCompile(`^[a-z]+(-[a-z]+)+-\d+$`)

// oneIdentity takes keys that belong together: of this step, of drone-ecr, or of AWS's programs. The
// session token of a pod's environment is no part of a key that lasts, which begins with AKIA:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
func (s *Step) oneIdentity() {
	for _, names := range [][3]string{
		{"PLUGIN_ACCESS_KEY", "PLUGIN_SECRET_KEY", "PLUGIN_SESSION_TOKEN"},
		{"ECR_ACCESS_KEY", "ECR_SECRET_KEY", ""},
		{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"},
	} {
		key, secret, token := s.environment[names[0]], s.environment[names[1]], s.environment[names[2]]
		if key == "" && secret == "" {
			continue
		}
		s.aws.AccessKey, s.aws.SecretKey = key, secret
		if token != "" || strings.HasPrefix(key, "AKIA") {
			s.aws.SessionToken = token
		}
		return
	}
}

// checkLogin returns why AWS gives no credentials for the repositories of the references.
func (s *Step) checkLogin(ctx context.Context, client *registry.Client, refs []string) error {
	if !s.pushes() {
		return nil
	}
	for _, ref := range refs {
		err := client.Keychain().Require(ctx, ref)
		if registry.BadSettings(err) {
			err = project.BadInput(err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// namesRegistry reports whether a repository has its registry in front.
func namesRegistry(repo string) bool {
	first, _, ok := strings.Cut(repo, "/")
	return ok && (strings.ContainsAny(first, ".:") || first == "localhost")
}

// preparation returns what makes the repositories on Amazon ECR of images and caches ready for the
// push. It is called when no mistake was found in the settings.
func (s *Step) preparation(images []project.Dockerfile, o Options) func(context.Context, []string, []registry.Cache) error {
	refs := references(images) // also those that turn out to exist: their policies are set anew
	return func(ctx context.Context, _ []string, caches []registry.Cache) error {
		if s.pushes() && s.repositories.ScanOnPush && !s.createRepository {
			o.say("PLUGIN_SCAN_ON_PUSH does nothing: it is for repositories that PLUGIN_CREATE_REPOSITORY creates")
		}
		if !s.pushes() || !s.createRepository && s.lifecyclePolicy == "" && s.repositoryPolicy == "" {
			return nil
		}
		if !slices.ContainsFunc(refs, registry.IsECR) {
			o.say("PLUGIN_CREATE_REPOSITORY, PLUGIN_LIFECYCLE_POLICY and PLUGIN_REPOSITORY_POLICY do nothing: they are for Amazon ECR")
			return nil
		}
		settings, err := s.repositorySettings()
		if err != nil {
			return project.BadInput(err)
		}
		repositories := registry.Repositories{AWS: s.aws, Settings: settings, Create: s.createRepository, Note: func(sentence string) { o.say("%s", sentence) }}
		if err = repositories.Prepare(ctx, refs...); err == nil {
			err = repositories.PrepareCaches(ctx, refs, caches)
		}
		if registry.BadSettings(err) {
			err = project.BadInput(err)
		}
		return err
	}
}

// repositorySettings returns the settings of repositories, with the policies in their files.
func (s *Step) repositorySettings() (registry.RepositorySettings, error) {
	settings := s.repositories
	for _, policy := range []struct {
		name, path string
		text       *string
	}{
		{"PLUGIN_LIFECYCLE_POLICY", s.lifecyclePolicy, &settings.LifecyclePolicy},
		{"PLUGIN_REPOSITORY_POLICY", s.repositoryPolicy, &settings.Policy},
	} {
		if policy.path == "" {
			continue
		}
		data, err := userfile.Read(policy.path, 1<<20)
		if err != nil {
			return settings, fmt.Errorf("%s is the path of a file: %w", policy.name, err)
		}
		var object map[string]any
		if err := json.Unmarshal(data, &object); err != nil {
			return settings, fmt.Errorf("%s: %s is no JSON object: %w", policy.name, policy.path, err)
		}
		*policy.text = string(data)
	}
	return settings, nil
}
