package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
)

// explain returns an error of the AWS SDK as a [*CloudError] if it is one that settings cause. Others
// get what was being done in front of them.
func (a AWS) explain(err error, doing string) error {
	var done *CloudError
	switch host, silent := unanswered(err); {
	case errors.As(err, &done) || errors.Is(err, context.Canceled):
		return err
	case nothingFound.MatchString(err.Error()):
		return &CloudError{Sentence: doing + ": there are no credentials of AWS; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, choose a profile (AWS_PROFILE), or give the machine or the pod a role",
			Input: true, Err: cause(err)}
	case strings.Contains(err.Error(), "x509: "):
		return &CloudError{Sentence: fmt.Sprintf("%s: the certificate of %s is not trusted; name the authority of it, or of the proxy in front, with SSL_CERT_FILE or AWS_CA_BUNDLE", doing, cmp.Or(host, "AWS")),
			Input: true, Err: cause(err)}
	case silent:
		return &CloudError{Sentence: fmt.Sprintf("%s: AWS does not answer (%s); check %s, the network and its proxy (HTTPS_PROXY), and an endpoint of your own (AWS_ENDPOINT_URL)",
			doing, cmp.Or(host, failureOf(err).action, "within "+cloudPatience.String()), a.called(SettingRegion)), Err: cause(err)}
	}

	f := failureOf(err)
	for _, rule := range awsRules {
		if slices.Contains(rule.codes, f.code) || rule.text != nil && rule.text.MatchString(err.Error()) {
			return &CloudError{Sentence: doing + ": " + rule.sentence(a, f), Input: true, Err: cause(err)}
		}
	}
	var response *awshttp.ResponseError
	if errors.As(err, &response) && response.HTTPStatusCode() >= http.StatusInternalServerError {
		return &CloudError{Sentence: fmt.Sprintf("%s: AWS failed (%s answers %d); run it again, and look at https://health.aws.amazon.com", doing, failureOf(err).action, response.HTTPStatusCode()), Err: cause(err)}
	}
	return fmt.Errorf("%s: %w", doing, cause(err))
}

// nothingFound finds, in an error, that the last place to look for credentials has none: the
// metadata service of a virtual machine.
var nothingFound = regexp.MustCompile(`no EC2 IMDS role found|access disabled to EC2 IMDS`)

// unanswered reports whether a request got no answer, and returns the host that it was sent to, or
// "" if the SDK does not say.
func unanswered(err error) (host string, ok bool) {
	var request *url.Error
	if errors.As(err, &request) {
		if address, parseErr := url.Parse(request.URL); parseErr == nil {
			return address.Host, true
		}
	}
	var network net.Error
	return "", errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network) && network.Timeout()
}

// cause returns what the service itself said, or what the network did, without the SDK's words about
// the request.
func cause(err error) error {
	var api smithy.APIError
	var request *url.Error
	switch {
	case errors.As(err, &api):
		return withoutID{api}
	case errors.As(err, &request):
		return request.Err
	}
	return err
}

// withoutID is an answer of AWS as CODE: MESSAGE.
type withoutID struct{ smithy.APIError }

func (e withoutID) Error() string { return e.ErrorCode() + ": " + e.ErrorMessage() }
func (e withoutID) Unwrap() error { return e.APIError }

// failure is what AWS answered.
type failure struct {
	code   string
	action string // such as ecr:CreateRepository
}

// denied finds the action in the message of AWS about a right that is missing.
var denied = regexp.MustCompile(`not authorized to perform: ([a-z-]+:[A-Za-z]+)`)

func failureOf(err error) failure {
	f := failure{code: codeOf(err)}
	for inner := err; ; { // a request may fail because of the one for its credentials
		var operation *smithy.OperationError
		if !errors.As(inner, &operation) {
			break
		}
		f.action = services[operation.Service()] + ":" + operation.Operation()
		inner = operation.Unwrap()
	}
	if m := denied.FindStringSubmatch(err.Error()); m != nil {
		f.action = m[1]
	}
	return f
}

// services are the prefixes of the actions of AWS's services.
var services = map[string]string{"ECR": "ecr", "ECR PUBLIC": "ecr-public", "STS": "sts"}

// codeOf returns the code of AWS's answer, such as RepositoryNotFoundException; "" if err has none.
func codeOf(err error) string {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return ""
	}
	return api.ErrorCode()
}

const accessDenied = "AccessDeniedException"

// awsRule turns one kind of answer into a sentence. The first matching rule wins.
type awsRule struct {
	codes    []string
	text     *regexp.Regexp
	sentence func(AWS, failure) string
}

var awsRules = []awsRule{
	{
		codes: []string{"ExpiredToken", "ExpiredTokenException", "RequestExpired"},
		text:  regexp.MustCompile(`SSO session has expired|refresh cached SSO token failed`),
		sentence: func(a AWS, f failure) string {
			if f.action == "sts:AssumeRoleWithWebIdentity" {
				return a.called(SettingIDToken) + " has expired; request a new one shortly before the build"
			}
			return "the credentials of AWS have expired; renew them (with the command aws sso login, or a new AWS_SESSION_TOKEN with its keys)"
		},
	},
	{
		codes: []string{"InvalidIdentityToken", "InvalidIdentityTokenException", "IDPRejectedClaim", "IDPCommunicationError"},
		sentence: func(a AWS, _ failure) string {
			return "AWS does not accept " + a.called(SettingIDToken) + "; the account of the role needs an identity provider with the issuer and the audience of the token"
		},
	},
	{
		codes: []string{"InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId"},
		sentence: func(a AWS, _ failure) string {
			return "AWS does not know " + a.called(SettingAccessKey) + "; check it, and that its session token belongs to it"
		},
	},
	{
		codes: []string{"SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature"},
		sentence: func(a AWS, _ failure) string {
			return a.called(SettingSecretKey) + " does not belong to " + a.called(SettingAccessKey) + ", or the clock of this machine is wrong"
		},
	},
	{codes: []string{"AccessDenied", accessDenied}, sentence: deniedSentence},
	{
		codes: []string{"RegionDisabledException", "OptInRequired"},
		sentence: func(a AWS, _ failure) string {
			return "the account does not use this region; enable it, or change " + a.called(SettingRegion)
		},
	},
	{
		codes:    []string{"InvalidParameterException", "ValidationException", "ValidationError", "InvalidTagParameterException", "KmsException"},
		sentence: func(_ AWS, f failure) string { return "AWS refuses the settings (" + f.action + ")" },
	},
	{
		codes:    []string{notExists},
		sentence: func(AWS, failure) string { return "there is no such repository; create it first" },
	},
	{
		text: regexp.MustCompile(`failed to get shared config profile`),
		sentence: func(a AWS, _ failure) string {
			return "the configuration of AWS has no such profile; check " + a.called(SettingProfile) + " (AWS_PROFILE) and ~/.aws/config"
		},
	},
}

// deniedSentence says which right is missing.
func deniedSentence(a AWS, f failure) string {
	if !strings.HasPrefix(f.action, "sts:AssumeRole") {
		return "the credentials of AWS do not allow " + f.action + "; add this action to the policy of the user or role"
	}
	text := fmt.Sprintf("%s %s cannot be assumed, or does not exist; its trust policy must allow %s to this identity", a.called(SettingRole), a.Role, f.action)
	if f.action == "sts:AssumeRole" {
		text += ", with " + a.called(SettingExternalID) + " if it asks for one"
	}
	return text
}
