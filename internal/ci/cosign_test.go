package ci

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/secure-systems-lab/go-securesystemslib/encrypted"
)

// cosignKey returns a private key as cosign encrypts it.
func cosignKey(t *testing.T, password string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := encrypted.Encrypt(der, []byte(password))
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED SIGSTORE PRIVATE KEY", Bytes: sealed}))
}

func TestSigner(t *testing.T) {
	t.Parallel()
	key := cosignKey(t, "secret")
	file := filepath.Join(t.TempDir(), "cosign.key")
	if err := os.WriteFile(file, []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, settings := range map[string][]string{
		"the text of a key": {"PLUGIN_COSIGN_PRIVATE_KEY=" + key, "PLUGIN_COSIGN_PASSWORD=secret"},
		"its path":          {"PLUGIN_COSIGN_PRIVATE_KEY=" + file, "PLUGIN_COSIGN_PASSWORD=secret"},
		"an empty password": {"PLUGIN_COSIGN_PRIVATE_KEY=" + cosignKey(t, "")},
	} {
		s, _, err := Read(append(settings, "PLUGIN_COSIGN_PARAMS=-a build=7 --annotations=a=b,c=d=e --recursive --yes --tlog-upload=false --sign-container-identity example.com/app"))
		if err != nil {
			t.Fatal(err)
		}
		of, err := s.signer()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !maps.Equal(of.annotations, map[string]string{"build": "7", "a": "b", "c": "d=e"}) || !of.recursive || of.identity != "example.com/app" {
			t.Errorf("%s: got %+v", name, of)
		}
	}
	for name, c := range map[string]struct {
		settings []string
		want     string
	}{
		"no password":        {[]string{"PLUGIN_COSIGN_PRIVATE_KEY=" + key}, "PLUGIN_COSIGN_PRIVATE_KEY is encrypted: set PLUGIN_COSIGN_PASSWORD"},
		"a wrong password":   {[]string{"PLUGIN_COSIGN_PRIVATE_KEY=" + key, "PLUGIN_COSIGN_PASSWORD=canary"}, "PLUGIN_COSIGN_PASSWORD is not the password"},
		"a password alone":   {[]string{"PLUGIN_COSIGN_PASSWORD=canary"}, "PLUGIN_COSIGN_PASSWORD is given without PLUGIN_COSIGN_PRIVATE_KEY"},
		"keyless":            {[]string{"PLUGIN_COSIGN_PARAMS=--identity-token=canary"}, "images are signed with a key"},
		"half a key":         {[]string{"PLUGIN_COSIGN_PRIVATE_KEY=canary"}, "PLUGIN_COSIGN_PRIVATE_KEY is neither the text of a key"},
		"a key of a service": {[]string{"PLUGIN_COSIGN_PRIVATE_KEY=awskms:///alias/canary"}, "keys of awskms:// are not supported"},
		"no key in PEM":      {[]string{"PLUGIN_COSIGN_PRIVATE_KEY=-----BEGIN PRIVATE KEY-----\ncanary"}, "PLUGIN_COSIGN_PRIVATE_KEY: the text is no private key"},
		"another flag":       {[]string{"PLUGIN_COSIGN_PRIVATE_KEY=" + key, "PLUGIN_COSIGN_PARAMS=--rekor-url=https://rekor.example.com"}, "PLUGIN_COSIGN_PARAMS: unknown flag: --rekor-url; this step signs with a key"},
		"a transparency log": {[]string{"PLUGIN_COSIGN_PRIVATE_KEY=" + key, "PLUGIN_COSIGN_PARAMS=--tlog-upload=true"}, "writes to no transparency log"},
		"a word":             {[]string{"PLUGIN_COSIGN_PRIVATE_KEY=" + key, "PLUGIN_COSIGN_PARAMS=app:1"}, `"app:1" is no flag`},
		"half an annotation": {[]string{"PLUGIN_COSIGN_PRIVATE_KEY=" + key, "PLUGIN_COSIGN_PARAMS=-a build"}, `the annotation "build" is not of the form KEY=VALUE`},
	} {
		s, _, err := Read(c.settings)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = s.signer(); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	if s, _, err := Read(nil); err != nil {
		t.Error(err)
	} else if of, err := s.signer(); of != nil || err != nil {
		t.Errorf("without settings: got %+v, %v", of, err)
	}
}
