package registry

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	azurecloud "github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/samforge/samforge/internal/printer"
)

// Azure is the identity that samforge uses for Azure Container Registry. The zero value is the one
// that every program for Azure finds: in the environment, the workload or the managed identity of
// the machine or the pod, or the login of the az command.
type Azure struct {
	// Tenant is the directory of the application, and ClientID is the application.
	Tenant, ClientID string
	// IDToken is an OpenID Connect token of somebody whom the application trusts. Certificate is the
	// certificate and the private key of the application: PEM or PFX, in base64 or as it is. Password
	// is that of a PFX file. One of IDToken and Certificate is given.
	IDToken, Certificate, Password string
	// AuthorityHost is the address of Microsoft Entra. If it is empty, it is that of the registry's cloud.
	AuthorityHost string
	// Called returns what the user calls a setting, such as "TENANT_ID" for SettingTenant. If it is nil,
	// errors have the setting as it is.
	Called func(setting string) string

	// Transport sends the requests; nil means Go's own.
	Transport http.RoundTripper
}

// These are the settings of [Azure] that errors name, beside SettingIDToken.
const (
	SettingTenant      = "the tenant ID"
	SettingClientID    = "the client ID"
	SettingCertificate = "the client certificate"
	SettingPassword    = "the password of the certificate"
	SettingAuthority   = "the authority host"
)

// azureUser is the user of a token: https://aka.ms/acr/authorization
const azureUser = "00000000-0000-0000-0000-000000000000"

// acrScope is what tokens are asked for. It is the same in all clouds of Azure.
const acrScope = "https://containerregistry.azure.net/.default"

func (a Azure) called(setting string) string {
	if a.Called == nil {
		return setting
	}
	return a.Called(setting)
}

func (a Azure) explicit() bool { return a.IDToken != "" || a.Certificate != "" }

// Check returns a [*CloudError] if a setting is missing. It sends nothing.
func (a Azure) Check() error {
	switch {
	case !a.explicit():
		return nil
	case a.IDToken != "" && a.Certificate != "":
		return mistake("%s and %s are two ways to log in to Azure: leave one of them out", a.called(SettingIDToken), a.called(SettingCertificate))
	case a.ClientID == "":
		return mistake("a login to Azure needs the application: give %s", a.called(SettingClientID))
	case a.Tenant == "":
		return mistake("a login to Azure needs the directory of the application: give %s", a.called(SettingTenant))
	}
	if host, err := url.Parse(a.authority("")); err != nil || host.Scheme != "https" || host.Host == "" {
		return mistake("%s is %.200q, which is no address such as https://login.microsoftonline.us", a.called(SettingAuthority), a.AuthorityHost)
	}
	return nil
}

// Login returns the credentials for the registry at host: a token of the registry, which is valid
// for some hours. Mistakes in the settings are a [*CloudError].
func (a Azure) Login(ctx context.Context, host string) (Login, error) {
	if err := a.Check(); err != nil {
		return Login{}, err
	}
	a.AuthorityHost = a.authority(host)
	a.Tenant = cmp.Or(a.Tenant, os.Getenv("AZURE_TENANT_ID"))
	ctx, cancel := context.WithTimeout(ctx, cloudPatience)
	defer cancel()
	secrets := printer.FromContext(ctx)
	secrets.Add(a.IDToken, a.Certificate, a.Password)
	credential, err := a.credential()
	if err != nil {
		return Login{}, err
	}
	token, err := credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{acrScope}})
	if err != nil {
		return Login{}, a.explain(err, "log in to Azure")
	}
	secrets.Add(token.Token)
	password, err := a.exchange(ctx, host, token.Token)
	if err != nil {
		return Login{}, a.explain(err, "log in to "+host)
	}
	secrets.Add(password)
	return Login{Scope: host, Username: azureUser, Password: password}, nil
}

// credential returns the identity's credential.
func (a Azure) credential() (azcore.TokenCredential, error) {
	options := azcore.ClientOptions{
		Cloud: azurecloud.Configuration{ActiveDirectoryAuthorityHost: a.AuthorityHost},
		Retry: policy.RetryOptions{MaxRetries: cloudAttempts - 1, TryTimeout: requestPatience, RetryDelay: 200 * time.Millisecond},
	}
	if a.Transport != nil {
		options.Transport = &http.Client{Transport: a.Transport}
	}
	// The instance discovery asks another host whether the authority is one of Microsoft's.
	const ownAuthority = true
	switch {
	case a.IDToken != "":
		assertion := func(context.Context) (string, error) { return a.IDToken, nil }
		return azidentity.NewClientAssertionCredential(a.Tenant, a.ClientID, assertion,
			&azidentity.ClientAssertionCredentialOptions{ClientOptions: options, DisableInstanceDiscovery: ownAuthority})
	case a.Certificate != "":
		certificates, key, err := azidentity.ParseCertificates(decoded(a.Certificate), []byte(a.Password))
		if err != nil {
			return nil, a.unreadable(err)
		}
		return azidentity.NewClientCertificateCredential(a.Tenant, a.ClientID, certificates, key,
			&azidentity.ClientCertificateCredentialOptions{ClientOptions: options, DisableInstanceDiscovery: ownAuthority})
	}
	return azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{ClientOptions: options})
}

// unreadable returns the mistake in a certificate. The errors of the SDK show nothing of it.
func (a Azure) unreadable(err error) error {
	certificate := a.called(SettingCertificate)
	switch text := err.Error(); {
	case strings.Contains(text, "password"):
		return mistake("%s has another password: give it with %s", certificate, a.called(SettingPassword))
	case strings.Contains(text, "digest algorithm"):
		return mistake("%s is a PFX file of a newer form than is read here: give it as PEM, which openssl pkcs12 -nodes makes of it", certificate)
	}
	return &CloudError{Sentence: certificate + " is no certificate with its private key: give both in one PEM text or PFX file, encoded with base64", Input: true, Err: err}
}

// authority returns the address of Microsoft Entra for the cloud of a registry.
func (a Azure) authority(host string) string {
	authority := cmp.Or(a.AuthorityHost, os.Getenv("AZURE_AUTHORITY_HOST"))
	switch {
	case authority != "" && !strings.Contains(authority, "://"):
		return "https://" + authority
	case authority != "":
		return authority
	case strings.HasSuffix(host, ".azurecr.cn"):
		return azurecloud.AzureChina.ActiveDirectoryAuthorityHost
	case strings.HasSuffix(host, ".azurecr.us"):
		return azurecloud.AzureGovernment.ActiveDirectoryAuthorityHost
	}
	return azurecloud.AzurePublic.ActiveDirectoryAuthorityHost
}

// decoded returns the bytes of a text in base64, or the text itself.
func decoded(text string) []byte {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "-----BEGIN") {
		return []byte(text)
	}
	data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		return []byte(text)
	}
	return data
}

// exchange returns the registry's token for a token of Microsoft Entra:
// https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md#calling-post-oauth2exchange-to-get-an-acr-refresh-token
func (a Azure) exchange(ctx context.Context, host, token string) (string, error) {
	form := url.Values{"grant_type": {"access_token"}, "service": {host}, "access_token": {token}}
	if a.Tenant != "" {
		form.Set("tenant", a.Tenant)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+host+"/oauth2/exchange", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	client := http.Client{Transport: a.Transport, Timeout: requestPatience}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxConfig))
	if err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusOK {
		return "", &exchangeError{host: host, status: response.StatusCode}
	}
	var answer struct {
		RefreshToken string `json:"refresh_token"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.RefreshToken == "" {
		return "", fmt.Errorf("the answer of https://%s/oauth2/exchange has no token", host)
	}
	return answer.RefreshToken, nil
}

// azureHost matches the registries of all clouds of Azure.
var azureHost = regexp.MustCompile(`\.azurecr\.(io|cn|us|de)$`)

// IsAzure reports whether a registry is one of Azure Container Registry.
func IsAzure(host string) bool { return azureHost.MatchString(host) }

// azureKeychain is the keychain of Azure Container Registry.
type azureKeychain struct{ identity Azure }

var _ authn.ContextKeychain = azureKeychain{}

func (k azureKeychain) Resolve(target authn.Resource) (authn.Authenticator, error) {
	return k.ResolveContext(context.Background(), target)
}

// ResolveContext returns anonymous access where no identity is found: a registry may allow it.
func (k azureKeychain) ResolveContext(ctx context.Context, target authn.Resource) (authn.Authenticator, error) {
	host := target.RegistryStr()
	if !IsAzure(host) {
		return authn.Anonymous, nil
	}
	login, err := k.identity.Login(ctx, host)
	if errors.Is(err, errNoAzureIdentity) {
		return authn.Anonymous, nil
	}
	if err != nil {
		return authn.Anonymous, err
	}
	return &authn.Basic{Username: login.Username, Password: login.Password}, nil
}
