package registry

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/awslabs/amazon-ecr-credential-helper/ecr-login/api"
	"github.com/google/go-containerregistry/pkg/authn"
)

// amazon is the keychain of Amazon ECR. It finds AWS credentials as every AWS program does, and
// exchanges them for a registry's. Like docker-credential-ecr-login it keeps the registry's
// credentials in ~/.ecr, unless AWS_ECR_DISABLE_CACHE is set.
type amazon struct{ profile string }

var _ authn.ContextKeychain = amazon{}

func (a amazon) Resolve(target authn.Resource) (authn.Authenticator, error) {
	return a.ResolveContext(context.Background(), target)
}

// ResolveContext returns an error if there are no AWS credentials for a private registry, which
// always requires some. It returns anonymous access for a public one.
func (a amazon) ResolveContext(ctx context.Context, target authn.Resource) (authn.Authenticator, error) {
	host := target.RegistryStr()
	registry, err := api.ExtractRegistry(host)
	if err != nil {
		return authn.Anonymous, nil // not a registry of Amazon's
	}
	public := registry.Service == api.ServiceECRPublic
	options := []func(*config.LoadOptions) error{config.WithRegion(registry.Region)}
	if a.profile != "" { // wins over credentials in the environment
		options = append(options, config.WithSharedConfigProfile(a.profile))
	}
	if registry.FIPS {
		options = append(options, config.WithUseFIPSEndpoint(aws.FIPSEndpointStateEnabled))
	}
	if public {
		// Most machines that pull from a public registry are not Amazon's, and would wait seconds
		// for an answer of the metadata service.
		options = append(options, config.WithEC2IMDSClientEnableState(imds.ClientDisabled))
	}
	settings, err := config.LoadDefaultConfig(ctx, options...)
	var found *api.Auth
	if err == nil {
		found, err = api.DefaultClientFactory{}.NewClient(settings).GetCredentials(host)
	}
	if err != nil {
		if public {
			err = nil
		}
		return authn.Anonymous, err
	}
	return &authn.Basic{Username: found.Username, Password: found.Password}, nil
}
