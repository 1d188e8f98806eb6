// Package signing signs images in a registry with a key, as cosign does. Signatures are in no
// transparency log.
//
// The formats are those of https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md.
package signing

import (
	"bytes"
	"crypto"
	"encoding/pem"
	"errors"

	"github.com/secure-systems-lab/go-securesystemslib/encrypted"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
)

// Key is a private key to sign with.
type Key struct{ signature.SignerVerifier }

// These are mistakes of [ParseKey].
var (
	ErrNoKey       = errors.New("the text is no private key in PEM, as cosign generate-key-pair makes it")
	ErrPassword    = errors.New("the password does not decrypt the key")
	ErrPKCS8Cipher = errors.New("the key is encrypted in another way than cosign's: convert it with cosign import-key-pair")
)

// ParseKey reads a private key in PEM: one that cosign has encrypted with the password, or one that
// is not encrypted. Errors do not show the text.
func ParseKey(text, password []byte) (*Key, error) {
	block, _ := pem.Decode(bytes.TrimSpace(text))
	if block == nil {
		return nil, ErrNoKey
	}
	var private crypto.PrivateKey
	var err error
	switch block.Type {
	case "ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY":
		der, decryptErr := encrypted.Decrypt(block.Bytes, password)
		if decryptErr != nil {
			return nil, ErrPassword
		}
		plain := pem.EncodeToMemory(&pem.Block{Type: string(cryptoutils.PrivateKeyPEMType), Bytes: der})
		private, err = cryptoutils.UnmarshalPEMToPrivateKey(plain, cryptoutils.SkipPassword)
	case "ENCRYPTED PRIVATE KEY":
		return nil, ErrPKCS8Cipher
	default:
		private, err = cryptoutils.UnmarshalPEMToPrivateKey(pem.EncodeToMemory(block), cryptoutils.SkipPassword)
	}
	if err != nil {
		return nil, ErrNoKey
	}
	signer, err := signature.LoadSignerVerifier(private, crypto.SHA256)
	if err != nil {
		return nil, ErrNoKey
	}
	return &Key{signer}, nil
}
