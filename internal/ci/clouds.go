package ci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/oauth2/google/externalaccount"

	"github.com/samforge/samforge/internal/registry"
)

// cloudSettings are the settings of the registries of Google and of Azure.
func cloudSettings() []Setting {
	return []Setting{
		text("PLUGIN_JSON_KEY GCR_JSON_KEY GOOGLE_CREDENTIALS", "", "Key of a Google service account, as JSON, for Artifact Registry and gcr.io", func(s *Step) *string { return &s.jsonKey }),
		text("PLUGIN_PROJECT_NUMBER", "", "Number of the Google project of a workload identity pool. PLUGIN_OIDC_TOKEN_ID is exchanged there", func(s *Step) *string { return &s.projectNumber }),
		text("PLUGIN_POOL_ID", "", "Workload identity pool", func(s *Step) *string { return &s.poolID }),
		text("PLUGIN_PROVIDER_ID", "", "Provider of the pool", func(s *Step) *string { return &s.providerID }),
		text("PLUGIN_SERVICE_ACCOUNT_EMAIL", "", "Google service account to act as", func(s *Step) *string { return &s.serviceAccount }),
		text("CLIENT_ID PLUGIN_CLIENT_ID AZURE_CLIENT_ID AZURE_APP_ID SERVICE_PRINCIPAL_CLIENT_ID", "", "Application of Azure that logs in to ACR, with one of the next three or with PLUGIN_OIDC_TOKEN_ID", func(s *Step) *string { return &s.azure.ClientID }),
		text("CLIENT_SECRET PLUGIN_CLIENT_SECRET AZURE_CLIENT_SECRET SERVICE_PRINCIPAL_CLIENT_SECRET", "", "Secret of the application", func(s *Step) *string { return &s.clientSecret }),
		text("CLIENT_CERTIFICATE PLUGIN_CLIENT_CERTIFICATE", "", "Certificate of the application with its private key, PEM or PFX, encoded with base64", func(s *Step) *string { return &s.azure.Certificate }),
		text("AZURE_CLIENT_CERTIFICATE_PASSWORD", "", "Password of a certificate in PFX", func(s *Step) *string { return &s.azure.Password }),
		text("TENANT_ID AZURE_TENANT_ID PLUGIN_TENANT_ID", "", "Directory of the application. A secret needs none", func(s *Step) *string { return &s.azure.Tenant }),
		text("AZURE_AUTHORITY_HOST PLUGIN_AZURE_AUTHORITY_HOST", "that of the registry's cloud", "Address of Microsoft Entra, such as https://login.microsoftonline.us", func(s *Step) *string { return &s.azure.AuthorityHost }),
		ignored("SUBSCRIPTION_ID PLUGIN_SUBSCRIPTION_ID", "the page of the registry in Azure's portal is not looked up"),
		ignored("PLUGIN_LOCATION PLUGIN_WORKLOAD_IDENTITY", "the registry is named by PLUGIN_REGISTRY, and the identity of the pod is found by itself"),
		refused("PLUGIN_APP PLUGIN_API_KEY PLUGIN_PROCESS_TYPE", "this step releases nothing on Heroku: push to registry.heroku.com with PLUGIN_USERNAME and PLUGIN_PASSWORD, and release in a step after it"),
	}
}

// cloudLogin returns the credentials that settings of Google or Azure give for the registry of the
// image; none without such settings.
func (s *Step) cloudLogin(ctx context.Context) (login, error) {
	switch {
	case s.jsonKey != "":
		if !json.Valid([]byte(s.jsonKey)) {
			return login{}, errors.New("PLUGIN_JSON_KEY is no JSON: give the whole text of the key")
		}
		// https://cloud.google.com/artifact-registry/docs/docker/authentication#json-key
		return login{username: "_json_key", password: s.jsonKey}, nil
	case s.poolID != "" || s.providerID != "" || s.projectNumber != "":
		token, err := s.exchange(ctx)
		return login{username: "oauth2accesstoken", password: token}, err
	case s.tokenForAzure() || s.azure.Certificate != "":
		return s.azureLogin(ctx)
	case s.azure.ClientID != "" && s.clientSecret != "":
		// https://learn.microsoft.com/azure/container-registry/container-registry-auth-service-principal
		return login{username: s.azure.ClientID, password: s.clientSecret}, nil
	case s.clientSecret != "":
		return login{}, errors.New("CLIENT_SECRET is given without CLIENT_ID: give both, or none")
	}
	return login{}, nil
}

// tokenForAzure reports whether PLUGIN_OIDC_TOKEN_ID is for Azure: it is one for all clouds. A pod may
// have the variables of Azure by itself, so the settings of another cloud come first.
func (s *Step) tokenForAzure() bool {
	repo, err := s.repository()
	of, _, _ := strings.Cut(repo, "/")
	return s.oidcToken != "" && s.poolID == "" && s.aws.Role == "" && (s.azure.ClientID != "" || err == nil && registry.IsAzure(of))
}

// azureLogin logs in to the registry of the image with the token or the certificate of an application.
func (s *Step) azureLogin(ctx context.Context) (login, error) {
	if s.azure.Certificate != "" && s.clientSecret != "" {
		return login{}, errors.New("CLIENT_SECRET and CLIENT_CERTIFICATE are two ways to log in to Azure: set one of them")
	}
	repo, err := s.repository()
	if err != nil {
		return login{}, err
	}
	of, _, _ := strings.Cut(repo, "/")
	if !registry.IsAzure(of) {
		return login{}, fmt.Errorf("CLIENT_ID is for a registry of Azure: PLUGIN_REGISTRY or PLUGIN_REPO must name one, such as team.azurecr.io, and not %q", of)
	}
	azure := s.azure
	if s.tokenForAzure() {
		azure.IDToken = s.oidcToken
	}
	azure.Called = azureCalled
	got, err := azure.Login(ctx, of)
	return login{username: got.Username, password: got.Password}, err
}

// azureCalled are the names of the settings of an Azure identity in this step.
func azureCalled(setting string) string {
	return map[string]string{
		registry.SettingTenant: "TENANT_ID", registry.SettingClientID: "CLIENT_ID", registry.SettingCertificate: "CLIENT_CERTIFICATE",
		registry.SettingPassword:  "AZURE_CLIENT_CERTIFICATE_PASSWORD",
		registry.SettingAuthority: "PLUGIN_AZURE_AUTHORITY_HOST", registry.SettingIDToken: "PLUGIN_OIDC_TOKEN_ID",
	}[setting]
}

// googleTokens exchanges tokens: https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token
const googleTokens = "https://sts.googleapis.com/v1/token"

// exchange returns an access token of Google for PLUGIN_OIDC_TOKEN_ID.
func (s *Step) exchange(ctx context.Context) (string, error) {
	for name, value := range map[string]string{
		"PLUGIN_PROJECT_NUMBER": s.projectNumber, "PLUGIN_POOL_ID": s.poolID, "PLUGIN_PROVIDER_ID": s.providerID, "PLUGIN_OIDC_TOKEN_ID": s.oidcToken,
	} {
		if value == "" {
			return "", fmt.Errorf("a workload identity of Google needs %s", name)
		}
	}
	config := externalaccount.Config{
		Audience:             fmt.Sprintf("//iam.googleapis.com/projects/%s/locations/global/workloadIdentityPools/%s/providers/%s", s.projectNumber, s.poolID, s.providerID),
		SubjectTokenType:     "urn:ietf:params:oauth:token-type:id_token",
		TokenURL:             googleTokens,
		SubjectTokenSupplier: subjectToken(s.oidcToken),
		Scopes:               []string{"https://www.googleapis.com/auth/cloud-platform"},
	}
	if s.serviceAccount != "" {
		config.ServiceAccountImpersonationURL = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/" + s.serviceAccount + ":generateAccessToken"
	}
	source, err := externalaccount.NewTokenSource(ctx, config)
	if err != nil {
		return "", fmt.Errorf("a workload identity of Google: %w", err)
	}
	token, err := source.Token()
	if err != nil {
		return "", fmt.Errorf("exchange PLUGIN_OIDC_TOKEN_ID at Google: %w", err)
	}
	return token.AccessToken, nil
}

// subjectToken is a token to exchange.
type subjectToken string

func (t subjectToken) SubjectToken(context.Context, externalaccount.SupplierOptions) (string, error) {
	return string(t), nil
}
