package printer

import (
	"encoding/base64"
	"strings"
	"testing"
)

func TestSecretsAreMaskedInEveryEncoding(t *testing.T) {
	t.Parallel()
	var s Secrets
	s.AddLogin("ci", `pa"ss/wo+rd é`)
	basic := base64.StdEncoding.EncodeToString([]byte("ci:" + `pa"ss/wo+rd é`))
	for text, want := range map[string]string{
		`pa"ss/wo+rd é`:                                            `***`,
		`{"password":"pa\"ss/wo+rd é"}`:                            `{"password":"***"}`,
		`?p=pa%22ss%2Fwo%2Brd+%C3%A9&q`:                            `?p=***&q`,
		`/pa%22ss%2Fwo+rd%20%C3%A9/`:                               `/***/`,
		`Authorization: Basic ` + basic:                            `Authorization: Basic ***`,
		base64.StdEncoding.EncodeToString([]byte(`pa"ss/wo+rd é`)): `***`,
	} {
		if got := s.Mask(text); got != want {
			t.Errorf("%s becomes %s, want %s", text, got, want)
		}
	}
}

func TestSecretsThatAreTooShortOrPartOfAnother(t *testing.T) {
	t.Parallel()
	var s Secrets
	s.Add("a", "", "token1", "token1234")
	if got := s.Mask("a banana, token1, token1234."); got != "a banana, ***, ***." {
		t.Errorf("got %s", got)
	}
}

func TestSecretsOfARequest(t *testing.T) {
	t.Parallel()
	var s Secrets
	s.AddAuthorization("Bearer eyJhbGciOiJub25lIn0")
	s.AddAuthorization("")
	if got := s.Mask("you sent Bearer eyJhbGciOiJub25lIn0"); got != "you sent Bearer ***" {
		t.Errorf("got %s", got)
	}
}

func TestSecretsOfArguments(t *testing.T) {
	t.Parallel()
	var s Secrets
	s.AddArguments([]string{"build", "--cache-to", "type=s3,access_key_id=AKIA,secret_access_key=sw0rdfish,bucket=b", "--output=type=x,\"token=t0ken-123\"", "--label", "token=samforge"})
	if got := s.Mask("sw0rdfish AKIA t0ken-123 samforge https://ci:pw@host/"); got != "*** AKIA *** samforge https://xxxxx@host/" {
		t.Errorf("got %s", got)
	}
}

func TestSecretFiles(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		file, secret, open string // comma-separated: masked and unmasked texts
	}{
		"a token":      {"s3cr3t-token\n", "s3cr3t-token", ""},
		"base64":       {"czNjcjN0LXRva2Vu==\n", "czNjcjN0LXRva2Vu==", ""},
		"an .npmrc":    {"registry=https://npm.example.com/\n//npm.example.com/:_authToken=npm_0123456789\n//other/:email=a@example.com\n; comment=xxxxxxxx\nalways-auth=true\n", "npm_0123456789", "https://npm.example.com/,a@example.com,xxxxxxxx,true"},
		"a variable":   {"//npm.example.com/:_authToken=${NPM_TOKEN}", "", "${NPM_TOKEN}"},
		"a proxy":      {"https-proxy=http://me:sw0rdfish@proxy.example.com:3128", "sw0rdfish", "proxy.example.com"},
		"a .netrc":     {"machine example.com login me password sw0rdfish", "sw0rdfish", ""},
		"AWS":          {"[default]\nregion = eu-west-1\naws_access_key_id = AKIA0123456789\naws_secret_access_key = abc/def+ghi=\n", "abc/def+ghi=", "eu-west-1"},
		"JSON":         {`{"auths": {"registry.example.com": {"auth": "bWU6c3cwcmRmaXNo", "email": "me@example.com"}}}`, "bWU6c3cwcmRmaXNo", "registry.example.com,me@example.com"},
		"a key":        {"-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0\n-----END PRIVATE KEY-----\n", "MIIEvQIBADANBgkqhkiG9w0", "-----BEGIN PRIVATE KEY-----"},
		"an authority": {"-----BEGIN CERTIFICATE-----\nMIIDdzCCAl+gAwIBAgIEAgAAuT\n-----END CERTIFICATE-----\n", "", "MIIDdzCCAl+gAwIBAgIEAgAAuT"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s Secrets
			s.AddFile([]byte(tc.file))
			for _, secret := range strings.Split(tc.secret, ",") {
				if got := s.Mask("<" + secret + ">"); secret != "" && got != "<***>" {
					t.Errorf("%s becomes %s", secret, got)
				}
			}
			for _, open := range strings.Split(tc.open, ",") {
				if got := s.Mask(open); got != open {
					t.Errorf("%s becomes %s", open, got)
				}
			}
		})
	}
}

func TestSecretsOfAContext(t *testing.T) {
	t.Parallel()
	var s Secrets
	FromContext(NewContext(t.Context(), &s)).Add("s3cr3t-token")
	if got := s.Mask("s3cr3t-token"); got != "***" {
		t.Errorf("got %s", got)
	}
	FromContext(t.Context()).Add("another") // nobody else sees these secrets
}
