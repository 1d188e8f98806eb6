package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/ecrpublic"
	"github.com/google/go-containerregistry/pkg/name"
	"golang.org/x/sync/errgroup"
)

// Repositories makes repositories on Amazon ECR ready for a push. Repositories elsewhere are passed
// over.
type Repositories struct {
	AWS      AWS
	Settings RepositorySettings
	// Create creates the repositories that are missing. Without it only the policies are set.
	Create bool
	// Note gets what the user should know and need not act on. It may be nil. It is not called
	// concurrently.
	Note func(sentence string)

	noting sync.Mutex
}

// maxPreparing limits the repositories that are made ready at a time: AWS limits the requests.
const maxPreparing = 4

// These are codes in the answers of ECR and of ECR Public.
const (
	alreadyExists = "RepositoryAlreadyExistsException"
	notExists     = "RepositoryNotFoundException"
	noPolicy      = "RepositoryPolicyNotFoundException"
)

// Prepare makes the repositories of references ready. It may be called again: what is there already
// stays, and only the policies are set anew. A mistake in the settings is a [*CloudError], before
// anything is sent.
//
// That the identity may not create a repository is no error if the repository exists, or if the push
// may create it.
func (r *Repositories) Prepare(ctx context.Context, refs ...string) error {
	known := map[string]bool{}
	var all []repository
	for _, ref := range refs {
		repo, ok, err := r.repository(ref)
		if err == nil && ok && repo.host.public() {
			err = r.Settings.checkPublic()
		}
		if err != nil {
			return err
		}
		if ok && !known[repo.ref] {
			known[repo.ref] = true
			all = append(all, repo)
		}
	}
	if len(all) == 0 {
		return nil
	}
	if err := errors.Join(r.AWS.Check(), r.Settings.Check()); err != nil {
		return err
	}
	configs, err := r.configs(ctx, all)
	if err != nil {
		return err
	}
	eg, ctx := errgroup.WithContext(ctx)
	eg.SetLimit(maxPreparing)
	for _, repo := range all {
		eg.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, cloudPatience)
			defer cancel()
			if repo.host.public() {
				return r.preparePublic(ctx, ecrpublic.NewFromConfig(configs[repo.registry]), repo)
			}
			return r.preparePrivate(ctx, ecr.NewFromConfig(configs[repo.registry]), repo)
		})
	}
	return eg.Wait()
}

// Cache is a cache in a registry.
type Cache struct {
	Ref string
	// Optional is true if a build does not fail by the cache.
	Optional bool
}

// PrepareCaches creates the repositories of caches that are missing, if the settings say so, and
// leaves out those of refs, which are the images'. They get the encryption and the tags of an image's
// repository, and nothing else: a cache's tag moves, and nobody deploys or scans it.
func (r *Repositories) PrepareCaches(ctx context.Context, refs []string, caches []Cache) error {
	if !r.Create {
		return nil
	}
	of := Repositories{AWS: r.AWS, Settings: RepositorySettings{Encryption: r.Settings.Encryption, KMSKey: r.Settings.KMSKey, Tags: r.Settings.Tags}, Create: true, Note: r.Note}
	for _, cache := range caches {
		if slices.ContainsFunc(refs, func(ref string) bool { return Repository(ref) == Repository(cache.Ref) }) {
			continue
		}
		err := of.Prepare(ctx, cache.Ref)
		if err != nil && cache.Optional {
			r.note("the cache %s may not be written: %v", cache.Ref, err)
			err = nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// configs returns the configuration for each registry: a role is assumed once for all of its
// repositories.
func (r *Repositories) configs(ctx context.Context, all []repository) (map[string]aws.Config, error) {
	ctx, cancel := context.WithTimeout(ctx, cloudPatience)
	defer cancel()
	configs := map[string]aws.Config{}
	for _, repo := range all {
		if _, ok := configs[repo.registry]; ok {
			continue
		}
		var err error
		if configs[repo.registry], err = repo.host.config(ctx, r.AWS); err != nil {
			return nil, err
		}
	}
	return configs, nil
}

// repository is one on Amazon ECR.
type repository struct {
	host     ecrHost
	registry string
	ref      string // with the registry
	name     string // as AWS's API has it
}

// repository returns the repository of a reference. ok is false if it is not on Amazon ECR.
func (r *Repositories) repository(ref string) (_ repository, ok bool, err error) {
	parsed, err := name.ParseReference(ref)
	if err != nil {
		return repository{}, false, invalid(ref, err)
	}
	context := parsed.Context()
	host, ok := parseECR(context.RegistryStr())
	if !ok {
		return repository{}, false, nil
	}
	repo := repository{host: host, registry: context.RegistryStr(), ref: context.Name(), name: context.RepositoryStr()}
	if host.public() {
		_, repo.name, ok = strings.Cut(repo.name, "/")
		if !ok {
			return repo, false, mistake("%s: a repository of %s is called %s/ALIAS/NAME, with the alias of the account's registry", repo.ref, publicECR, publicECR)
		}
	}
	return repo, true, nil
}

func (r *Repositories) note(format string, args ...any) {
	if r.Note != nil {
		r.noting.Lock()
		defer r.noting.Unlock()
		r.Note(fmt.Sprintf(format, args...))
	}
}

// preparePrivate makes a repository of a private registry ready.
func (r *Repositories) preparePrivate(ctx context.Context, client *ecr.Client, repo repository) (err error) {
	state := there
	if r.Create {
		if state, err = r.create(ctx, client, repo); err != nil {
			return err
		}
	}
	return r.setPolicies(ctx, client, repo, state)
}

// state is what is known about a repository after the attempt to create it.
type state int

const (
	there   state = iota // it was there before
	created              // it was created now
	awaited              // it is missing, and the push may create it
)

// create creates a repository unless it exists.
func (r *Repositories) create(ctx context.Context, client *ecr.Client, repo repository) (state, error) {
	_, err := client.CreateRepository(ctx, r.Settings.input(repo))
	switch codeOf(err) {
	case alreadyExists:
		return there, nil
	case accessDenied:
		return r.withoutCreating(ctx, client, repo, err)
	}
	if err != nil {
		return there, r.AWS.explain(err, "create the repository "+repo.ref)
	}
	r.note("created the repository %s", repo.ref)
	return created, nil
}

// withoutCreating finds out whether a push can do without the right to create the repository. denied
// is what AWS said about the attempt.
func (r *Repositories) withoutCreating(ctx context.Context, client *ecr.Client, repo repository, denied error) (state, error) {
	_, err := client.DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{RegistryId: &repo.host.ID, RepositoryNames: []string{repo.name}})
	switch codeOf(err) {
	case notExists:
		if byPush, known := createdByPush(ctx, client, repo.name); byPush || !known {
			r.note("%s does not exist, and the credentials of AWS do not allow ecr:CreateRepository: the push works if the registry creates repositories on push", repo.ref)
			return awaited, nil
		}
		return there, r.AWS.explain(denied, "create the repository "+repo.ref)
	case accessDenied:
		r.note("the credentials of AWS allow neither ecr:CreateRepository nor ecr:DescribeRepositories for %s: the push works if it exists, or if the registry creates repositories on push", repo.ref)
		return awaited, nil
	}
	if err != nil {
		return there, r.AWS.explain(err, "look up the repository "+repo.ref)
	}
	return there, nil
}

// createdByPush reports whether the registry creates a repository when an image is pushed to it.
// known is false if AWS does not say:
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-creation-templates.html
func createdByPush(ctx context.Context, client *ecr.Client, repository string) (yes, known bool) {
	pages := ecr.NewDescribeRepositoryCreationTemplatesPaginator(client, &ecr.DescribeRepositoryCreationTemplatesInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return false, false
		}
		for _, template := range page.RepositoryCreationTemplates {
			prefix := aws.ToString(template.Prefix)
			if prefix != "ROOT" && !strings.HasPrefix(repository, strings.TrimSuffix(prefix, "/")+"/") {
				continue
			}
			for _, purpose := range template.AppliedFor {
				yes = yes || purpose == types.RCTAppliedForCreateOnPush
			}
		}
	}
	return yes, true
}

// setPolicies sets the policies of the settings.
func (r *Repositories) setPolicies(ctx context.Context, client *ecr.Client, repo repository, state state) error {
	s := r.Settings
	if s.LifecyclePolicy == "" && s.Policy == "" {
		return nil
	}
	if state == awaited {
		r.note("%s gets no policies now, because it may not exist: put them into the template that creates it", repo.ref)
		return nil
	}
	if s.LifecyclePolicy != "" {
		_, err := client.PutLifecyclePolicy(ctx, &ecr.PutLifecyclePolicyInput{RegistryId: &repo.host.ID, RepositoryName: &repo.name, LifecyclePolicyText: &s.LifecyclePolicy})
		if err != nil {
			return r.AWS.explain(err, "set the lifecycle policy of "+repo.ref)
		}
	}
	if s.Policy == "" || s.KeepPolicy && state == there && r.hasPolicy(ctx, client, repo) {
		return nil
	}
	_, err := client.SetRepositoryPolicy(ctx, &ecr.SetRepositoryPolicyInput{RegistryId: &repo.host.ID, RepositoryName: &repo.name, PolicyText: &s.Policy})
	if s.KeepPolicy && state == there && codeOf(err) == accessDenied {
		r.note("%s has no policy, and the credentials of AWS do not allow ecr:SetRepositoryPolicy", repo.ref)
		return nil
	}
	if err != nil {
		return r.AWS.explain(err, "set the policy of the repository "+repo.ref)
	}
	return nil
}

// hasPolicy reports whether a repository has a policy. One that may not be read counts as there.
func (r *Repositories) hasPolicy(ctx context.Context, client *ecr.Client, repo repository) bool {
	_, err := client.GetRepositoryPolicy(ctx, &ecr.GetRepositoryPolicyInput{RegistryId: &repo.host.ID, RepositoryName: &repo.name})
	if code := codeOf(err); code != "" && code != noPolicy {
		r.note("the policy of %s is left as it is, because it cannot be read: %s", repo.ref, code)
	}
	return codeOf(err) != noPolicy
}
