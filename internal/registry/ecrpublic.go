package registry

import (
	"context"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecrpublic"
	"github.com/aws/aws-sdk-go-v2/service/ecrpublic/types"
)

// preparePublic makes a repository of public.ecr.aws ready. No push creates one there.
func (r *Repositories) preparePublic(ctx context.Context, client *ecrpublic.Client, repo repository) (err error) {
	state := there
	if r.Create {
		if state, err = r.createPublic(ctx, client, repo); err != nil {
			return err
		}
	}
	s := r.Settings
	if s.Policy == "" || s.KeepPolicy && state == there {
		return nil
	}
	_, err = client.SetRepositoryPolicy(ctx, &ecrpublic.SetRepositoryPolicyInput{RepositoryName: &repo.name, PolicyText: &s.Policy})
	if err != nil {
		return r.AWS.explain(err, "set the policy of the repository "+repo.ref)
	}
	return nil
}

func (r *Repositories) createPublic(ctx context.Context, client *ecrpublic.Client, repo repository) (state, error) {
	input := &ecrpublic.CreateRepositoryInput{RepositoryName: &repo.name}
	for _, key := range slices.Sorted(maps.Keys(r.Settings.Tags)) {
		input.Tags = append(input.Tags, types.Tag{Key: aws.String(key), Value: aws.String(r.Settings.Tags[key])})
	}
	made, err := client.CreateRepository(ctx, input)
	switch codeOf(err) {
	case alreadyExists:
		return there, nil
	case accessDenied:
		_, missing := client.DescribeRepositories(ctx, &ecrpublic.DescribeRepositoriesInput{RepositoryNames: []string{repo.name}})
		if codeOf(missing) != notExists { // it exists, or the push has to show
			return there, nil
		}
	}
	if err != nil {
		return there, r.AWS.explain(err, "create the repository "+repo.ref)
	}
	if uri := aws.ToString(made.Repository.RepositoryUri); uri != "" && uri != repo.ref {
		return created, mistake("the repository was created as %s: push to it, and not to %s", uri, repo.ref)
	}
	r.note("created the repository %s", repo.ref)
	return created, nil
}
