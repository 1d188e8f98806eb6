package registry

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// errNoAzureIdentity says that there is nothing to log in with.
var errNoAzureIdentity = errors.New("there is no identity of Azure")

// explain returns an error of Azure as a [*CloudError] if it is one that settings cause. Others get
// what was being done in front of them.
func (a Azure) explain(err error, doing string) error {
	var done *CloudError
	var refused *exchangeError
	var failed *azidentity.AuthenticationFailedError
	switch host, silent := unanswered(err); {
	case errors.As(err, &done) || errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &refused) && refused.denied():
		return &CloudError{Sentence: fmt.Sprintf("%s: the registry does not accept the application %s; it needs a role there, such as AcrPush, and the registry must be in the directory of %s",
			doing, cmp.Or(a.ClientID, "of this identity"), a.called(SettingTenant)), Input: true, Err: refused}
	case strings.Contains(err.Error(), "x509: "):
		return &CloudError{Sentence: fmt.Sprintf("%s: the certificate of %s is not trusted; name the authority of it, or of the proxy in front, with SSL_CERT_FILE", doing, cmp.Or(host, "Azure")),
			Input: true, Err: cause(err)}
	case errors.As(err, &failed) && failed.RawResponse != nil:
		answer := entraAnswer(failed.RawResponse)
		if answer.code == "" && !a.explicit() {
			return errNoAzureIdentity // a proxy answered in place of the machine's metadata service
		}
		return a.explainAnswer(answer, doing)
	case silent || errors.As(err, &failed):
		return a.noAnswer(err, host, doing)
	case !a.explicit():
		return errNoAzureIdentity // the SDK's error is a page about every place where it looked
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// noAnswer returns the error for a request that got no answer. host is empty if the SDK does not say.
func (a Azure) noAnswer(err error, host, doing string) error {
	host = cmp.Or(host, strings.Trim(strings.TrimPrefix(a.AuthorityHost, "https://"), "/"))
	oneLine := strings.Join(strings.Fields(cause(err).Error()), " ")
	return &CloudError{Sentence: fmt.Sprintf("%s: Azure does not answer (%s); check the network and its proxy (HTTPS_PROXY), and %s", doing, host, a.called(SettingAuthority)), Err: errors.New(oneLine)}
}

// exchangeError is the answer of a registry that gives no token.
type exchangeError struct {
	host   string
	status int
}

func (e *exchangeError) Error() string {
	return fmt.Sprintf("https://%s/oauth2/exchange answers %d %s", e.host, e.status, http.StatusText(e.status))
}

func (e *exchangeError) denied() bool {
	return e.status == http.StatusUnauthorized || e.status == http.StatusForbidden
}

// entraError is an answer of Microsoft Entra that gives no token.
type entraError struct {
	code string // such as AADSTS700024; "" if the answer has none
	text string
}

func (e *entraError) Error() string { return e.text }

var entraCode = regexp.MustCompile(`AADSTS\d+`)

// entraAnswer reads an answer. Its later lines are identifiers of the request.
func entraAnswer(response *http.Response) *entraError {
	body, _ := io.ReadAll(io.LimitReader(response.Body, maxConfig))
	response.Body = io.NopCloser(bytes.NewReader(body))
	var answer struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	_ = json.Unmarshal(body, &answer)
	text, _, _ := strings.Cut(cmp.Or(answer.Description, answer.Error, response.Status), "\n")
	text, _, _ = strings.Cut(text, " Trace ID:")
	return &entraError{code: entraCode.FindString(text), text: strings.TrimSpace(text)}
}

// entraRules are the answers of Microsoft Entra that settings cause, with the sentence for each:
// https://learn.microsoft.com/entra/identity-platform/reference-error-codes
var entraRules = []struct {
	codes    []string
	sentence func(Azure) string
}{
	{[]string{"AADSTS700024", "AADSTS700082", "AADSTS500133"}, func(a Azure) string {
		if a.Certificate != "" {
			return a.called(SettingCertificate) + " is not accepted at this time; check the clock of this machine"
		}
		return a.called(SettingIDToken) + " has expired; request a new one shortly before the build"
	}},
	{[]string{"AADSTS90002", "AADSTS900021", "AADSTS900023"}, func(a Azure) string {
		return fmt.Sprintf("there is no directory %.200q; check %s, and %s for another cloud than the public one", a.Tenant, a.called(SettingTenant), a.called(SettingAuthority))
	}},
	{[]string{"AADSTS700016"}, func(a Azure) string {
		return fmt.Sprintf("the directory %s has no application %.200q; check %s and %s", a.Tenant, a.ClientID, a.called(SettingClientID), a.called(SettingTenant))
	}},
	{[]string{"AADSTS70021", "AADSTS700211", "AADSTS700212", "AADSTS700213", "AADSTS7002138", "AADSTS50027", "AADSTS5000224"}, func(a Azure) string {
		return fmt.Sprintf("Azure does not accept %s; the application %s needs a federated credential with the issuer, the subject and the audience of the token", a.called(SettingIDToken), a.ClientID)
	}},
	{[]string{"AADSTS700027", "AADSTS700030", "AADSTS50012"}, func(a Azure) string {
		return fmt.Sprintf("Azure does not accept %s; add it to the certificates of the application %s, or renew it", a.called(SettingCertificate), a.ClientID)
	}},
}

// explainAnswer returns the sentence for an answer of Microsoft Entra.
func (a Azure) explainAnswer(answer *entraError, doing string) error {
	for _, rule := range entraRules {
		if a.explicit() && slices.Contains(rule.codes, answer.code) {
			return &CloudError{Sentence: rule.sentence(a), Input: true, Err: answer}
		}
	}
	return &CloudError{Sentence: doing + ": Microsoft Entra refuses the identity", Input: true, Err: answer}
}
