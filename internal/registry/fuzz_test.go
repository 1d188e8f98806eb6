package registry

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/samforge/samforge/internal/registry/azurefake"
)

// FuzzExplain: whatever a registry or a builder says, the error is kept, and is explained once.
func FuzzExplain(f *testing.F) {
	for _, seed := range []string{
		`failed to push registry.example.com/a:1: denied`, `failed to resolve source metadata for docker.io/library/a:latest: pull access denied`, "toomanyrequests: rate limit", "unexpected status from HEAD request to https://host/v2/a: 405 Method Not Allowed",
		"error writing layer blob: x", "post request to https://host/v2/a/blobs/uploads/?from=b%2Fc&mount=sha256:0: 403 Forbidden denied", "x509: certificate signed by unknown authority", "tag_invalid: immutable", "invalid character '<' looking for beginning of value",
		`failed to push "": unknown`, "http: server gave HTTP response to HTTPS client", "name_unknown 012345678912.dkr.ecr.eu-west-1.amazonaws.com",
	} {
		f.Add(seed, "registry.example.com/team/app:1")
		f.Add(seed, "012345678912.dkr.ecr.eu-west-1.amazonaws.com/app")
		f.Add(seed, "")
	}
	f.Fuzz(func(t *testing.T, text, ref string) {
		said := errors.New(text)
		for _, explain := range []func(error, string) error{Explain, explain} {
			err := explain(said, ref)
			var of *Error
			if !errors.Is(err, said) {
				t.Errorf("%v is not what was said", err)
			}
			if errors.As(err, &of) && (of.Sentence == "" || !strings.HasSuffix(err.Error(), text)) {
				t.Errorf("the explanation is %q", err)
			}
			if again := explain(err, ref); again.Error() != err.Error() {
				t.Errorf("%q is explained as %q, and then as %q", text, err, again)
			}
		}
	})
}

// FuzzHosts: whatever the name of a registry is, it has one normal form, and one on Amazon has an
// account and a region.
func FuzzHosts(f *testing.F) {
	for _, seed := range []string{
		"registry.example.com:5000/a", "docker.io/library/a", "index.docker.io", "012345678912.dkr.ecr.eu-west-1.amazonaws.com", "012345678912.dkr-ecr-fips.us-gov-west-1.on.aws", "public.ecr.aws/a", "[::1]:5000", "localhost", "", "/", "a.azurecr.io",
		"http://a",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, scope string) {
		normal := normalized(scope)
		if again := normalized(normal); again != normal {
			t.Errorf("%q is %q, and that is %q", scope, normal, again)
		}
		host, _, _ := strings.Cut(scope, "/")
		account, region, ok := ParseECRHost(host)
		if ok != (account != "" && region != "") || !ok && account+region != "" {
			t.Errorf("%q has the account %q and the region %q", host, account, region)
		}
		if _, _, _, err := parseAccess(scope); (err == nil) != (CheckTarget(scope) == nil) {
			t.Errorf("%q: %v", scope, err)
		}
		if _, err := name.ParseReference(scope); err != nil && IsECR(scope) {
			t.Errorf("%q is no reference, and on Amazon ECR", scope)
		}
	})
}

// FuzzEntraAnswer: whatever Microsoft Entra answers, there is one line about it, and the answer can
// be read again.
func FuzzEntraAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"error": "invalid_client", "error_description": "AADSTS700016: Application not found.\r\nTrace ID: x"}`, `{"error": "x"}`, "", "<html>", `{"error_description": "a Trace ID: b"}`, `{"error": 1}`, `{"error_description": "\nAADSTS1"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		response := &http.Response{Status: "400 Bad Request", Body: io.NopCloser(strings.NewReader(string(body)))}
		answer := entraAnswer(response)
		if strings.Contains(answer.text, "\n") || strings.Contains(answer.text, " Trace ID:") || answer.code != "" && !strings.Contains(answer.text, answer.code) {
			t.Errorf("%q is read as %+v", body, answer)
		}
		if again, err := io.ReadAll(response.Body); err != nil || string(again) != string(body) && len(body) <= maxConfig {
			t.Errorf("%q is read again as %q, %v", body, again, err)
		}
		if err := (Azure{}).explainAnswer(answer, "log in"); !errors.Is(err, answer) {
			t.Errorf("%v is not the answer", err)
		}
	})
}

// FuzzCertificates: files that are taken for certificates, and for a certificate with its key, can
// be used for TLS.
func FuzzCertificates(f *testing.F) {
	_, text, err := azurefake.NewCertificate()
	if err != nil {
		f.Fatal(err)
	}
	key, certificate, _ := bytes.Cut(text, []byte("-----BEGIN CERTIFICATE"))
	f.Add(text, text)
	f.Add(append([]byte("# comment\n"), text...), key)
	f.Add(key, certificate)
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), []byte(nil))
	folder := f.TempDir()
	one, other := filepath.Join(folder, "one.pem"), filepath.Join(folder, "other.pem")
	f.Fuzz(func(t *testing.T, certificate, key []byte) {
		for path, data := range map[string][]byte{one: certificate, other: key} {
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := CheckAuthorities(one); err != nil && !strings.Contains(err.Error(), one) {
			t.Errorf("the mistake names no file: %v", err)
		}
		err := CheckKeyPair(one, other)
		if _, wrong := tls.X509KeyPair(certificate, key); (wrong == nil) != (err == nil) || err != nil && !strings.Contains(err.Error(), one) {
			t.Errorf("got %v, want %v", err, wrong)
		}
	})
}
