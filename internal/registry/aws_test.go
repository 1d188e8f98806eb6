package registry

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/samforge/samforge/internal/printer"
	"github.com/samforge/samforge/internal/registry/awsfake"
)

// fakeAWS starts a server for AWS's APIs, in an environment that has nothing else of AWS.
func fakeAWS(t *testing.T) *awsfake.Server {
	t.Helper()
	noCredentials(t)
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_DEFAULT_REGION", "")
	fake := &awsfake.Server{Failures: map[string]string{}}
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	for _, service := range []string{"ECR", "ECR_PUBLIC", "STS"} {
		t.Setenv("AWS_ENDPOINT_URL_"+service, server.URL)
	}
	return fake
}

var (
	keys = AWS{AccessKey: "AKIAEXAMPLE", SecretKey: "canary-of-the-key"}
	role = "arn:aws:iam::123456789012:role/ci"
)

// fromEnvironment sets the variables of AWS's programs, and returns the identity that reads them.
func fromEnvironment(t *testing.T) AWS {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAENVIRONMENT")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "canary-of-the-environment")
	return AWS{Region: "eu-west-1"}
}

// An identity's requests are signed with its keys or those of the role, which it asks STS for.
func TestIdentities(t *testing.T) {
	profile := func(t *testing.T) AWS {
		file := filepath.Join(t.TempDir(), "credentials")
		write(t, file, "[work]\naws_access_key_id = AKIAWORK\naws_secret_access_key = x\n", 0o600)
		t.Setenv("AWS_SHARED_CREDENTIALS_FILE", file)
		return AWS{Region: "eu-west-1", Profile: "work"}
	}
	for name, tc := range map[string]struct {
		arrange func(t *testing.T) AWS
		key     string
		form    map[string]string // of the request for the role
	}{
		"the environment": {fromEnvironment, "AKIAENVIRONMENT", nil},
		"static keys win over the environment": {func(t *testing.T) AWS {
			fromEnvironment(t)
			return AWS{Region: "eu-west-1", AccessKey: keys.AccessKey, SecretKey: keys.SecretKey}
		}, "AKIAEXAMPLE", nil},
		"a profile wins over the environment": {func(t *testing.T) AWS {
			fromEnvironment(t)
			return profile(t)
		}, "AKIAWORK", nil},
		"a role, assumed with keys": {func(*testing.T) AWS {
			return AWS{Region: "eu-west-1", AccessKey: keys.AccessKey, SecretKey: keys.SecretKey, Role: role, ExternalID: "pipeline"}
		}, awsfake.RoleKey, map[string]string{"Action": "AssumeRole", "RoleArn": role, "ExternalId": "pipeline", "RoleSessionName": "samforge"}},
		"a role, assumed from the environment": {func(t *testing.T) AWS {
			a := fromEnvironment(t)
			a.Role, a.SessionName = role, "build-7"
			return a
		}, awsfake.RoleKey, map[string]string{"Action": "AssumeRole", "RoleArn": role, "RoleSessionName": "build-7"}},
		"a role, assumed with an OIDC token": {func(*testing.T) AWS {
			return AWS{Region: "eu-west-1", Role: role, IDToken: "canary-of-the-token"}
		}, awsfake.RoleKey, map[string]string{"Action": "AssumeRoleWithWebIdentity", "RoleArn": role, "WebIdentityToken": "canary-of-the-token"}},
		"a token in a file, as pods have it": {func(t *testing.T) AWS {
			file := filepath.Join(t.TempDir(), "token")
			write(t, file, "canary-of-the-pod", 0o600)
			t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", file)
			t.Setenv("AWS_ROLE_ARN", role)
			return AWS{Region: "eu-west-1"}
		}, awsfake.RoleKey, map[string]string{"Action": "AssumeRoleWithWebIdentity", "WebIdentityToken": "canary-of-the-pod"}},
	} {
		t.Run(name, func(t *testing.T) {
			fake := fakeAWS(t)
			identity := tc.arrange(t)
			host, err := identity.Account(t.Context())
			if want := "123456789012.dkr.ecr.eu-west-1.amazonaws.com"; err != nil || host != want {
				t.Fatalf("the registry is %q, %v; want %s", host, err, want)
			}
			calls := fake.Calls()
			if last := calls[len(calls)-1]; last.Action != "sts:GetCallerIdentity" || last.Key != tc.key {
				t.Errorf("the last request is %s with the key %s, want %s", last.Action, last.Key, tc.key)
			}
			for field, want := range tc.form {
				if got := calls[0].Input[field]; got != want {
					t.Errorf("%s is %v, want %s", field, got, want)
				}
			}
		})
	}
}

// The registry's credentials are those of the same identity.
func TestKeychainUsesTheIdentity(t *testing.T) {
	fake := fakeAWS(t)
	host := "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
	k := NewKeychain(nil, AWS{AccessKey: keys.AccessKey, SecretKey: keys.SecretKey, Role: role})
	auth, err := k.ResolveContext(t.Context(), repositoryNamed(t, host+"/app"))
	if err != nil {
		t.Fatal(err)
	}
	if found, err := auth.Authorization(); err != nil || found.Password != awsfake.Password {
		t.Errorf("got %+v, %v", found, err)
	}
	calls := fake.Calls()
	if last := calls[len(calls)-1]; last.Action != "ecr:GetAuthorizationToken" || last.Key != awsfake.RoleKey {
		t.Errorf("the last request is %s with the key %s", last.Action, last.Key)
	}
}

// A mistake says which setting is wrong and what to do, in the user's names for the settings, and
// shows no secret.
func TestMistakesOfIdentities(t *testing.T) {
	called := func(setting string) string {
		return map[string]string{SettingAccessKey: "PLUGIN_ACCESS_KEY", SettingRole: "PLUGIN_ASSUME_ROLE"}[setting]
	}
	withRole := AWS{Region: "eu-west-1", AccessKey: keys.AccessKey, SecretKey: keys.SecretKey, Role: role}
	withToken := AWS{Region: "eu-west-1", Role: role, IDToken: "canary-of-the-token"}
	for name, tc := range map[string]struct {
		identity AWS
		failures map[string]string
		want     string
	}{
		"a key without its secret":       {AWS{AccessKey: "AKIA"}, nil, "the access key is given without the secret key: give both, or none"},
		"in the user's names":            {AWS{AccessKey: "AKIA", Called: called}, nil, "PLUGIN_ACCESS_KEY is given without"},
		"a secret without its key":       {AWS{SecretKey: "canary"}, nil, "the secret key is given without the access key"},
		"keys and a profile":             {AWS{AccessKey: "AKIA", SecretKey: "canary", Profile: "work"}, nil, "name two identities"},
		"an external ID without a role":  {AWS{ExternalID: "x"}, nil, "the external ID is for a role: give the role too"},
		"a token without a role":         {AWS{IDToken: "canary"}, nil, "the OIDC token needs the role that is assumed with it"},
		"a token and keys":               {AWS{IDToken: "canary", Role: role, AccessKey: "AKIA", SecretKey: "canary"}, nil, "the OIDC token takes the place of keys"},
		"a role by its name":             {AWS{Role: "ci"}, nil, `the role "ci" is not the ARN of a role`},
		"no region":                      {keys, nil, "AWS needs a region: give the region, or set AWS_REGION"},
		"a profile that is not there":    {AWS{Region: "eu-west-1", Profile: "nope"}, nil, "has no such profile; check the profile (AWS_PROFILE)"},
		"no credentials":                 {AWS{Region: "eu-west-1"}, nil, "there are no credentials of AWS; set AWS_ACCESS_KEY_ID"},
		"a role that trusts nobody":      {withRole, map[string]string{"sts:AssumeRole": "AccessDenied"}, "the role arn:aws:iam::123456789012:role/ci cannot be assumed, or does not exist; its trust policy must allow sts:AssumeRole"},
		"keys that AWS does not know":    {withRole, map[string]string{"sts:AssumeRole": "InvalidClientTokenId"}, "AWS does not know the access key"},
		"a wrong secret":                 {withRole, map[string]string{"sts:AssumeRole": "SignatureDoesNotMatch"}, "the secret key does not belong to the access key"},
		"credentials that have expired":  {withRole, map[string]string{"sts:AssumeRole": "ExpiredToken"}, "the credentials of AWS have expired; renew them"},
		"a token that has expired":       {withToken, map[string]string{"sts:AssumeRoleWithWebIdentity": "ExpiredTokenException"}, "the OIDC token has expired; request a new one"},
		"a token of an unknown provider": {withToken, map[string]string{"sts:AssumeRoleWithWebIdentity": "InvalidIdentityToken"}, "AWS does not accept the OIDC token; the account of the role needs an identity provider"},
		"a role without the right":       {withRole, map[string]string{"sts:GetCallerIdentity": "AccessDenied"}, "the credentials of AWS do not allow sts:GetCallerIdentity; add this action"},
	} {
		t.Run(name, func(t *testing.T) {
			fakeAWS(t).Failures = tc.failures
			_, err := tc.identity.Account(t.Context())
			if err == nil || !strings.Contains(err.Error(), tc.want) || !BadSettings(err) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			if err != nil && strings.Contains(err.Error(), "canary") {
				t.Errorf("a secret is shown: %v", err)
			}
		})
	}
}

// Secrets of the identity, and those that AWS returns, are masked in everything that is printed.
func TestSecretsOfIdentitiesAreMasked(t *testing.T) {
	fakeAWS(t)
	secrets := &printer.Secrets{}
	identity := AWS{Region: "eu-west-1", AccessKey: keys.AccessKey, SecretKey: keys.SecretKey, Role: role}
	if _, err := identity.Account(printer.NewContext(t.Context(), secrets)); err != nil {
		t.Fatal(err)
	}
	if got := secrets.Mask("canary-of-the-key canary-of-the-role canary-of-the-session"); strings.Contains(got, "canary") {
		t.Errorf("the masked text is %q", got)
	}
}

// An endpoint that does not answer ends the request, and is no mistake of the user.
func TestAWSDoesNotAnswer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") // accepts connections, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	fakeAWS(t)
	t.Setenv("AWS_ENDPOINT_URL_STS", "http://"+listener.Addr().String())
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = AWS{Region: "eu-west-1", AccessKey: "AKIA", SecretKey: "x"}.Account(ctx)
	var explained *CloudError
	if !errors.As(err, &explained) || explained.Input || !strings.Contains(err.Error(), "AWS does not answer (sts:GetCallerIdentity); check") {
		t.Errorf("got %v", err)
	}
}

// An endpoint that is not there is named, and asked no longer than a connection takes.
func TestAWSIsNotThere(t *testing.T) {
	fakeAWS(t)
	t.Setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")
	_, err := AWS{Region: "eu-west-1", AccessKey: "AKIA", SecretKey: "x"}.Account(t.Context())
	if err == nil || !strings.Contains(err.Error(), "AWS does not answer (127.0.0.1:1); check") || BadSettings(err) {
		t.Errorf("got %v", err)
	}
}

// A certificate of somebody else's is no silence.
func TestAWSIsNotTrusted(t *testing.T) {
	fakeAWS(t)
	server := httptest.NewUnstartedServer(&awsfake.Server{})
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	t.Setenv("AWS_ENDPOINT_URL_STS", server.URL)
	_, err := AWS{Region: "eu-west-1", AccessKey: "AKIA", SecretKey: "x"}.Account(t.Context())
	if err == nil || !strings.Contains(err.Error(), "is not trusted; name the authority") || !BadSettings(err) {
		t.Errorf("got %v", err)
	}
}

func TestHostOfARegion(t *testing.T) {
	t.Parallel()
	for region, want := range map[string]string{
		"eu-west-1":      "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
		"us-gov-west-1":  "123456789012.dkr.ecr.us-gov-west-1.amazonaws.com",
		"cn-north-1":     "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn",
		"eusc-de-east-1": "123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu",
	} {
		got := ECRHost("123456789012", region)
		if parsed, ok := parseECR(got); got != want || !ok || parsed.Region != region {
			t.Errorf("%s: got %s, want %s", region, got, want)
		}
	}
}
