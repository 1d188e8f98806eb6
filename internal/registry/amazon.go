package registry

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/awslabs/amazon-ecr-credential-helper/ecr-login/api"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
)

// amazon is the keychain of Amazon ECR. It exchanges the credentials of an AWS identity for a
// registry's. Like docker-credential-ecr-login it keeps the registry's credentials in ~/.ecr, unless
// AWS_ECR_DISABLE_CACHE is set.
type amazon struct{ identity AWS }

var _ authn.ContextKeychain = amazon{}

func (a amazon) Resolve(target authn.Resource) (authn.Authenticator, error) {
	return a.ResolveContext(context.Background(), target)
}

// ResolveContext returns an error if there are no AWS credentials for a private registry, which
// always requires some. It returns anonymous access for a public one.
func (a amazon) ResolveContext(ctx context.Context, target authn.Resource) (authn.Authenticator, error) {
	host, ok := parseECR(target.RegistryStr())
	if !ok {
		return authn.Anonymous, nil
	}
	var options []func(*config.LoadOptions) error
	if host.public() {
		// Most machines that pull from a public registry are not Amazon's, and would wait seconds
		// for an answer of the metadata service.
		options = append(options, config.WithEC2IMDSClientEnableState(imds.ClientDisabled))
	}
	settings, err := host.config(ctx, a.identity, options...)
	var found *api.Auth
	if err == nil {
		found, err = api.DefaultClientFactory{}.NewClient(settings).GetCredentials(target.RegistryStr())
		if err != nil {
			err = a.identity.explain(err, "log in")
		}
	}
	if err != nil {
		if host.public() {
			err = nil
		}
		return authn.Anonymous, err
	}
	return &authn.Basic{Username: found.Username, Password: found.Password}, nil
}

// ecrHost is a registry of Amazon ECR.
type ecrHost struct {
	*api.Registry
	dualStack bool // its name, and so AWS's API, has IPv6 addresses too
}

// parseECR returns what the host of a registry says. ok is false if the registry is not Amazon's.
func parseECR(host string) (found ecrHost, ok bool) {
	registry, err := api.ExtractRegistry(host)
	if err != nil {
		return ecrHost{}, false
	}
	return ecrHost{Registry: registry, dualStack: strings.Contains(host, ".on.")}, true
}

// IsECR reports whether a reference is on Amazon ECR, private or public.
func IsECR(ref string) bool {
	parsed, err := name.ParseReference(ref)
	if err != nil {
		return false
	}
	_, ok := parseECR(parsed.Context().RegistryStr())
	return ok
}

// ParseECRHost returns the account and the region of a private registry of Amazon ECR. ok is false for
// other registries.
func ParseECRHost(host string) (account, region string, ok bool) {
	found, ok := parseECR(host)
	if !ok || found.public() {
		return "", "", false
	}
	return found.ID, found.Region, true
}

func (h ecrHost) public() bool { return h.Service == api.ServiceECRPublic }

// publicRegion is where the API of ECR Public is:
// https://docs.aws.amazon.com/general/latest/gr/ecr-public.html
const publicRegion = "us-east-1"

// config returns the configuration for requests of an identity about the registry.
func (h ecrHost) config(ctx context.Context, identity AWS, options ...func(*config.LoadOptions) error) (aws.Config, error) {
	region := h.Region
	if h.public() {
		region = publicRegion
	}
	if h.FIPS {
		options = append(options, config.WithUseFIPSEndpoint(aws.FIPSEndpointStateEnabled))
	}
	if h.dualStack {
		options = append(options, config.WithUseDualStackEndpoint(aws.DualStackEndpointStateEnabled))
	}
	return identity.config(ctx, region, options...)
}
