package ci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/oauth2/google/externalaccount"
)

// cloudSettings are the settings of the registries of Google and of Azure.
func cloudSettings() []Setting {
	return []Setting{
		text("PLUGIN_JSON_KEY GCR_JSON_KEY GOOGLE_CREDENTIALS", "", "Key of a Google service account, as JSON, for Artifact Registry and gcr.io", func(s *Step) *string { return &s.jsonKey }),
		text("PLUGIN_PROJECT_NUMBER", "", "Number of the Google project of a workload identity pool. PLUGIN_OIDC_TOKEN_ID is exchanged there", func(s *Step) *string { return &s.projectNumber }),
		text("PLUGIN_POOL_ID", "", "Workload identity pool", func(s *Step) *string { return &s.poolID }),
		text("PLUGIN_PROVIDER_ID", "", "Provider of the pool", func(s *Step) *string { return &s.providerID }),
		text("PLUGIN_SERVICE_ACCOUNT_EMAIL", "", "Google service account to act as", func(s *Step) *string { return &s.serviceAccount }),
		text("CLIENT_ID PLUGIN_CLIENT_ID AZURE_CLIENT_ID", "", "Application of an Azure service principal, for ACR", func(s *Step) *string { return &s.clientID }),
		text("CLIENT_SECRET PLUGIN_CLIENT_SECRET AZURE_CLIENT_SECRET", "", "Secret of the service principal", func(s *Step) *string { return &s.clientSecret }),
		refused("CLIENT_CERTIFICATE PLUGIN_CLIENT_CERTIFICATE", "a registry takes no certificate of a service principal: give CLIENT_ID and CLIENT_SECRET"),
		ignored("TENANT_ID PLUGIN_TENANT_ID SUBSCRIPTION_ID PLUGIN_SUBSCRIPTION_ID PLUGIN_AZURE_AUTHORITY_HOST", "the registry of PLUGIN_REGISTRY takes the service principal as it is"),
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
	case s.clientID != "" && s.clientSecret != "":
		// https://learn.microsoft.com/azure/container-registry/container-registry-auth-service-principal
		return login{username: s.clientID, password: s.clientSecret}, nil
	case s.clientSecret != "":
		return login{}, errors.New("CLIENT_SECRET is given without CLIENT_ID: give both, or none")
	}
	return login{}, nil
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
		TokenURL:             s.googleTokens,
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
