package signing

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"testing"

	ggcr "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/secure-systems-lab/go-securesystemslib/encrypted"
	"github.com/sigstore/sigstore/pkg/signature/payload"

	"github.com/samforge/samforge/internal/registry"
)

// keyPair returns a private key in PEM, encrypted as cosign does and plain.
func keyPair(t testing.TB, password string) (cosigns, plain []byte) {
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
	return pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED SIGSTORE PRIVATE KEY", Bytes: sealed}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func TestParseKey(t *testing.T) {
	t.Parallel()
	sealed, plain := keyPair(t, "secret")
	for name, c := range map[string]struct {
		text, password string
		want           error
	}{
		"cosign's":                {string(sealed), "secret", nil},
		"cosign's of before":      {strings.ReplaceAll(string(sealed), "SIGSTORE", "COSIGN"), "secret", nil},
		"with space around it":    {"\n" + string(sealed) + "\n", "secret", nil},
		"plain":                   {string(plain), "", nil},
		"a wrong password":        {string(sealed), "canary", ErrPassword},
		"no password":             {string(sealed), "", ErrPassword},
		"encrypted by others":     {strings.ReplaceAll(string(plain), " PRIVATE", " ENCRYPTED PRIVATE"), "secret", ErrPKCS8Cipher},
		"a public key":            {strings.ReplaceAll(string(plain), "PRIVATE", "PUBLIC"), "", ErrNoKey},
		"PEM with something else": {"-----BEGIN PRIVATE KEY-----\nY2FuYXJ5\n-----END PRIVATE KEY-----\n", "", ErrNoKey},
		"no PEM":                  {"canary", "", ErrNoKey},
	} {
		key, err := ParseKey([]byte(c.text), []byte(c.password))
		if !errors.Is(err, c.want) || (key != nil) != (c.want == nil) || err != nil && strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

// Signatures are in the form of cosign. One that is there is not made again, and others stay.
func TestSign(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	client := registry.NewClient(registry.NewKeychain(nil, registry.AWS{}), 0)
	image, err := random.Image(16, 1)
	if err != nil {
		t.Fatal(err)
	}
	repository := strings.TrimPrefix(server.URL, "http://") + "/team/app"
	digest, err := client.Push(t.Context(), image, repository+":1")
	if err != nil {
		t.Fatal(err)
	}
	signatures := repository + ":" + strings.Replace(digest, ":", "-", 1) + ".sig"
	var keys []*Key
	for range 2 {
		_, text := keyPair(t, "")
		key, err := ParseKey(text, nil)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	for n, c := range []struct {
		key   *Key
		image Image
		want  int // signatures afterwards
	}{
		{keys[0], Image{Annotations: map[string]string{"build": "7"}}, 1},
		{keys[0], Image{Annotations: map[string]string{"build": "7"}}, 1},
		{keys[1], Image{Annotations: map[string]string{"build": "7"}}, 2},
		{keys[0], Image{Identity: "registry.example.com/app:1"}, 3},
	} {
		c.image.Ref = repository + "@" + digest
		ref, err := Sign(t.Context(), client, c.key, c.image)
		if err != nil || ref != signatures {
			t.Fatalf("%d: got %s, %v, want %s", n, ref, err, signatures)
		}
		found, _, err := client.Image(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		if manifest, err := found.Manifest(); err != nil || len(manifest.Layers) != c.want {
			t.Errorf("%d: got %+v, %v, want %d signatures", n, manifest, err, c.want)
		}
	}
	of := verified(t, client, signatures, keys[0])
	if len(of) != 2 || of[0].Image.DigestStr() != digest || of[0].ClaimedIdentity != repository || of[0].Annotations["build"] != "7" || of[1].ClaimedIdentity != "registry.example.com/app:1" {
		t.Errorf("the first key has signed %+v", of)
	}
}

// verified returns what a key has signed.
func verified(t *testing.T, client *registry.Client, ref string, key *Key) (signed []payload.Cosign) {
	t.Helper()
	image, ok, err := client.Image(t.Context(), ref)
	if err != nil || !ok {
		t.Fatalf("%s: %t, %v", ref, ok, err)
	}
	manifest, err := image.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	for _, layer := range manifest.Layers {
		blob, err := image.LayerByDigest(layer.Digest)
		if err != nil {
			t.Fatal(err)
		}
		content, err := blob.Compressed()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(content)
		if err != nil {
			t.Fatal(err)
		}
		signature, err := base64.StdEncoding.DecodeString(layer.Annotations[signatureKey])
		if err != nil {
			t.Fatal(err)
		}
		if key.VerifySignature(bytes.NewReader(signature), bytes.NewReader(text)) != nil {
			continue
		}
		var claim payload.Cosign
		if err := claim.UnmarshalJSON(text); err != nil {
			t.Fatal(err)
		}
		signed = append(signed, claim)
	}
	return signed
}
