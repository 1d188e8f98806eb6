package signing

import (
	"bytes"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
)

// FuzzParseKey: whatever the text, it is a key that signs, or there is one of the known mistakes,
// none of which shows the text.
func FuzzParseKey(f *testing.F) {
	sealed, plain := keyPair(f, "secret")
	other := bytes.Replace(sealed, []byte("SIGSTORE"), []byte("COSIGN"), 2)
	for _, seed := range [][]byte{
		sealed, plain, other, bytes.ReplaceAll(plain, []byte(" PRIVATE"), []byte(" EC PRIVATE")), bytes.ReplaceAll(plain, []byte("PRIVATE"), []byte("PUBLIC")),
		pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED SIGSTORE PRIVATE KEY", Bytes: []byte(`{"kdf":{"name":"scrypt","params":{"N":1073741824,"r":8,"p":1},"salt":"AA=="},"cipher":{"name":"nacl/secretbox","nonce":"AA=="},"ciphertext":"AA=="}`)}),
		[]byte("ca-nary"), []byte("-----BEGIN PRIVATE KEY-----\nY2FuYXJ5\n-----END PRIVATE KEY-----\n"),
	} {
		f.Add(seed, "secret")
	}
	f.Fuzz(func(t *testing.T, text []byte, password string) {
		key, err := ParseKey(text, []byte(password))
		if err != nil {
			if !errors.Is(err, ErrNoKey) && !errors.Is(err, ErrPassword) && !errors.Is(err, ErrPKCS8Cipher) {
				t.Errorf("%v is no known mistake", err)
			}
			return
		}
		signed, err := key.SignMessage(strings.NewReader("text"))
		if err != nil {
			t.Fatal(err)
		}
		if err := key.VerifySignature(bytes.NewReader(signed), strings.NewReader("text")); err != nil {
			t.Error(err)
		}
		if _, err := key.PublicKey(); err != nil {
			t.Error(err)
		}
	})
}
