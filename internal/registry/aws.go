package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"

	"github.com/samforge/samforge/internal/printer"
)

// AWS is the identity that samforge uses for Amazon ECR. The zero value is the one that every AWS
// program finds: in the environment, in the shared configuration, or the role of the instance or of
// the pod.
type AWS struct {
	// Region is for requests that are not about a registry with a region of its own. If it is empty,
	// the environment or the profile has it.
	Region string
	// Profile is a profile of the shared configuration. It wins over keys in the environment.
	Profile string
	// AccessKey and SecretKey are static keys, both or none. SessionToken belongs to temporary ones.
	AccessKey, SecretKey, SessionToken string
	// Role is the ARN of a role that the identity assumes. ExternalID is what its trust policy may
	// ask for, and SessionName is the name in AWS's logs: "samforge" if it is empty.
	Role, ExternalID, SessionName string
	// IDToken is an OpenID Connect token. Role is assumed with it, and with no other credentials.
	IDToken string
	// Called returns what the user calls a setting, such as "PLUGIN_ASSUME_ROLE" for SettingRole. If
	// it is nil, errors have the setting as it is.
	Called func(setting string) string
}

// These are the settings of [AWS] that errors name.
const (
	SettingRegion     = "the region"
	SettingProfile    = "the profile"
	SettingAccessKey  = "the access key"
	SettingSecretKey  = "the secret key"
	SettingRole       = "the role"
	SettingExternalID = "the external ID"
	SettingIDToken    = "the OIDC token"
)

const (
	// dialPatience limits a connection to AWS, requestPatience one request, and cloudPatience all
	// requests for one purpose, with their retries.
	dialPatience    = 5 * time.Second
	requestPatience = 15 * time.Second
	cloudPatience   = 40 * time.Second
	cloudAttempts   = 3

	defaultSession = "samforge"
)

func (a AWS) called(setting string) string {
	if a.Called == nil {
		return setting
	}
	return a.Called(setting)
}

var roleARN = regexp.MustCompile(`^arn:aws[a-z-]*:iam::\d{12}:role/.+`)

// Check returns a [*CloudError] if the settings contradict each other. It sends nothing.
func (a AWS) Check() error {
	key, secret, role, token := a.called(SettingAccessKey), a.called(SettingSecretKey), a.called(SettingRole), a.called(SettingIDToken)
	switch {
	case a.AccessKey != "" && a.SecretKey == "":
		return mistake("%s is given without %s: give both, or none", key, secret)
	case a.AccessKey == "" && (a.SecretKey != "" || a.SessionToken != ""):
		return mistake("%s is given without %s: give both, or none", secret, key)
	case a.AccessKey != "" && a.Profile != "":
		return mistake("%s and %s name two identities: leave one of them out", key, a.called(SettingProfile))
	case a.IDToken != "" && a.Role == "":
		return mistake("%s needs the role that is assumed with it: give %s", token, role)
	case a.IDToken != "" && (a.AccessKey != "" || a.Profile != ""):
		return mistake("%s takes the place of keys and profiles: leave %s out, or them", token, token)
	case a.ExternalID != "" && a.Role == "":
		return mistake("%s is for a role: give %s too", a.called(SettingExternalID), role)
	case a.Role != "" && !roleARN.MatchString(a.Role):
		return mistake("%s %.200q is not the ARN of a role, such as arn:aws:iam::123456789012:role/ci", role, a.Role)
	}
	return nil
}

// Account returns the host of the identity's own registry, such as
// 123456789012.dkr.ecr.eu-central-1.amazonaws.com. Mistakes are a [*CloudError].
func (a AWS) Account(ctx context.Context) (host string, err error) {
	ctx, cancel := context.WithTimeout(ctx, cloudPatience)
	defer cancel()
	cfg, err := a.config(ctx, "")
	if err != nil {
		return "", err
	}
	found, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", a.explain(err, "find the AWS account")
	}
	return ECRHost(aws.ToString(found.Account), cfg.Region), nil
}

// Keys returns static or temporary keys of the identity, and its region. Mistakes are a [*CloudError].
func (a AWS) Keys(ctx context.Context) (AWS, error) {
	ctx, cancel := context.WithTimeout(ctx, cloudPatience)
	defer cancel()
	cfg, err := a.config(ctx, "")
	if err != nil {
		return AWS{}, err
	}
	keys, err := cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return AWS{}, a.explain(err, "log in to AWS")
	}
	return AWS{Region: cfg.Region, AccessKey: keys.AccessKeyID, SecretKey: keys.SecretAccessKey, SessionToken: keys.SessionToken}, nil
}

// ECRHost returns the host of an account's private registry in a region. AWS's partitions have domains
// of their own: https://docs.aws.amazon.com/general/latest/gr/ecr.html
func ECRHost(account, region string) string {
	domain := "amazonaws.com"
	for prefix, other := range map[string]string{
		"cn-": "amazonaws.com.cn", "eusc-": "amazonaws.eu", "us-iso-": "c2s.ic.gov", "us-isob-": "sc2s.sgov.gov", "eu-isoe-": "cloud.adc-e.uk", "us-isof-": "csp.hci.ic.gov",
	} {
		if strings.HasPrefix(region, prefix) {
			domain = other
		}
	}
	return account + ".dkr.ecr." + region + "." + domain
}

// config returns the configuration for requests to a region, or if that is empty to the identity's
// own. It has obtained the credentials already. ctx carries the secrets to mask.
func (a AWS) config(ctx context.Context, region string, more ...func(*config.LoadOptions) error) (aws.Config, error) {
	if err := a.Check(); err != nil {
		return aws.Config{}, err
	}
	secrets := printer.FromContext(ctx)
	secrets.Add(a.SecretKey, a.SessionToken, a.IDToken)
	options := []func(*config.LoadOptions) error{
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(requestPatience).WithDialerOptions(func(d *net.Dialer) { d.Timeout = dialPatience })),
		config.WithRetryMaxAttempts(cloudAttempts),
		config.WithLogger(logging.Nop{}), // errors say what matters
		config.WithRegion(cmp.Or(region, a.Region)),
		config.WithSharedConfigProfile(a.Profile),
	}
	if a.AccessKey != "" {
		options = append(options, config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(a.AccessKey, a.SecretKey, a.SessionToken)))
	}
	cfg, err := config.LoadDefaultConfig(ctx, append(options, more...)...)
	if err != nil {
		return cfg, a.explain(err, "read the configuration of AWS")
	}
	if cfg.Region == "" {
		return cfg, mistake("AWS needs a region: give %s, or set AWS_REGION", a.called(SettingRegion))
	}
	if a.Role != "" {
		cfg.Credentials = aws.NewCredentialsCache(a.role(cfg))
	}
	obtained, err := cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return cfg, a.explain(err, "log in to AWS")
	}
	secrets.Add(obtained.SecretAccessKey, obtained.SessionToken)
	return cfg, nil
}

// role returns the credentials of the role.
func (a AWS) role(cfg aws.Config) aws.CredentialsProvider {
	client, session := sts.NewFromConfig(cfg), cmp.Or(a.SessionName, defaultSession)
	if a.IDToken != "" {
		return stscreds.NewWebIdentityRoleProvider(client, a.Role, idToken(a.IDToken), func(o *stscreds.WebIdentityRoleOptions) { o.RoleSessionName = session })
	}
	return stscreds.NewAssumeRoleProvider(client, a.Role, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName = session
		if a.ExternalID != "" {
			o.ExternalID = &a.ExternalID
		}
	})
}

// idToken is a token that is already known.
type idToken string

var _ stscreds.IdentityTokenRetriever = idToken("")

func (t idToken) GetIdentityToken() ([]byte, error) { return []byte(t), nil }

// CloudError explains to the user why a cloud refused a request, or why none was sent.
type CloudError struct {
	Sentence string // what is wrong and what to do
	// Input is true if the user's settings are wrong, and false if the cloud does not answer.
	Input bool
	Err   error // what the cloud said; nil if nothing was sent
}

// Error returns the sentence and, after it, what the cloud said.
func (e *CloudError) Error() string {
	if e.Err == nil {
		return e.Sentence
	}
	return e.Sentence + ": " + e.Err.Error()
}

// Unwrap returns what the cloud said.
func (e *CloudError) Unwrap() error { return e.Err }

func mistake(format string, args ...any) error {
	return &CloudError{Sentence: fmt.Sprintf(format, args...), Input: true}
}

// BadSettings reports whether err says that the settings for a cloud are wrong: a retry would not help.
func BadSettings(err error) bool {
	var e *CloudError
	return errors.As(err, &e) && e.Input
}
