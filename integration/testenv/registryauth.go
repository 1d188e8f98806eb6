// Access rights in a registry: htpasswd, a token server, immutable tags.

package testenv

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote"
	"golang.org/x/crypto/bcrypt"
)

const (
	tokenPath    = "/token"
	tokenService = "samforge-testenv"
)

// authConfig writes the auth section of the registry's configuration and the
// files it names.
func (r *Registry) authConfig() (string, error) {
	users := map[string]Account{internalUser: {Password: r.password, Push: true}}
	for user, account := range r.options.Users {
		users[user] = account
	}
	switch {
	case r.options.BasicAuth:
		var lines strings.Builder
		for user, account := range users {
			hash, err := bcrypt.GenerateFromPassword([]byte(account.Password), bcrypt.MinCost)
			if err != nil {
				return "", fmt.Errorf("hashing the password of %s: %w", user, err)
			}
			fmt.Fprintf(&lines, "%s:%s\n", user, hash)
		}
		path := r.dir.join("htpasswd")
		if err := os.WriteFile(path, []byte(lines.String()), 0o600); err != nil {
			return "", fmt.Errorf("writing the registry's users: %w", err)
		}
		return fmt.Sprintf("auth: {htpasswd: {realm: %q, path: %q}}\n", tokenService, path), nil

	case r.options.TokenAuth:
		public, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return "", fmt.Errorf("making the token server's key: %w", err)
		}
		r.tokens = &tokenServer{users: users, anonymousPull: r.options.AnonymousPull, key: private}
		keys := fmt.Sprintf(`{"keys":[{"kty":"OKP","crv":"Ed25519","use":"sig","kid":%q,"x":%q}]}`,
			tokenService, base64.RawURLEncoding.EncodeToString(public))
		path := r.dir.join("jwks.json")
		if err := os.WriteFile(path, []byte(keys), 0o600); err != nil {
			return "", fmt.Errorf("writing the token server's key: %w", err)
		}
		return fmt.Sprintf("auth: {token: {realm: %q, service: %q, issuer: %q, jwks: %q, signingalgorithms: [EdDSA]}}\n",
			"http://"+r.Addr+tokenPath, tokenService, tokenService, path), nil
	}
	return "", nil
}

// tokenServer issues the requested rights as far as the account allows
// (https://distribution.github.io/distribution/spec/auth/token/).
type tokenServer struct {
	users         map[string]Account
	anonymousPull bool
	key           ed25519.PrivateKey
}

type tokenAccess struct {
	Type    string   `json:"type"`
	Name    string   `json:"name"`
	Actions []string `json:"actions"`
}

func (t *tokenServer) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if err := req.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	user, password, ok := req.BasicAuth()
	if !ok && req.PostForm.Get("grant_type") == "password" {
		user, password, ok = req.PostForm.Get("username"), req.PostForm.Get("password"), true
	}
	account, known := t.users[user]
	if ok && (!known || account.Password != password) {
		writeError(w, http.StatusUnauthorized, "UNAUTHORIZED", "incorrect username or password")
		return
	}

	access := []tokenAccess{}
	for _, scope := range req.Form["scope"] {
		for _, one := range strings.Fields(scope) {
			kind, rest, _ := strings.Cut(one, ":")
			end := strings.LastIndex(rest, ":")
			if end < 0 {
				continue
			}
			actions := slices.DeleteFunc(strings.Split(rest[end+1:], ","), func(action string) bool {
				if !strings.HasPrefix(rest, account.Only) {
					return true
				}
				if action == "pull" {
					return !ok && !t.anonymousPull
				}
				return !account.Push
			})
			access = append(access, tokenAccess{Type: kind, Name: rest[:end], Actions: actions})
		}
	}
	token := t.sign(user, access)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"token": token, "access_token": token, "expires_in": 300})
}

func (t *tokenServer) sign(subject string, access []tokenAccess) string {
	now := time.Now().Unix()
	part := func(v any) string {
		data, _ := json.Marshal(v) // maps of strings and numbers always marshal
		return base64.RawURLEncoding.EncodeToString(data)
	}
	signed := part(map[string]string{"typ": "JWT", "alg": "EdDSA", "kid": tokenService}) + "." + part(map[string]any{
		"iss": tokenService, "aud": tokenService, "sub": subject, "jti": randomHex(),
		"iat": now, "nbf": now - 10, "exp": now + 300, "access": access,
	})
	return signed + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(t.key, []byte(signed)))
}

// refusesPush reports whether the request would change something and comes from an account that may
// only pull. htpasswd has no rights, so the proxy checks.
func (r *Registry) refusesPush(req *http.Request) bool {
	if req.Method == http.MethodGet || req.Method == http.MethodHead {
		return false
	}
	user, password, _ := req.BasicAuth()
	account, known := r.options.Users[user]
	return known && account.Password == password && !account.Push
}

// refusesTag refuses the upload of a manifest that would move a tag, and reports whether it did.
func (r *Registry) refusesTag(w http.ResponseWriter, req *http.Request) bool {
	repository, kind, tag := splitPath(req.URL.Path)
	if req.Method != http.MethodPut || kind != "manifests" || strings.Contains(tag, ":") {
		return false
	}
	data, err := io.ReadAll(io.LimitReader(req.Body, 8<<20))
	req.Body = io.NopCloser(bytes.NewReader(data))
	if err != nil {
		return false
	}
	current, err := r.head(req.Context(), r.Addr+"/"+repository+":"+tag)
	sum := sha256.Sum256(data)
	if err != nil || current == "sha256:"+hex.EncodeToString(sum[:]) {
		return false
	}
	writeError(w, http.StatusBadRequest, "TAG_INVALID", fmt.Sprintf(
		"The image tag '%s' already exists in the '%s' repository and cannot be overwritten because the tag is immutable.", tag, repository))
	return true
}

// head returns the digest that a reference points at.
func (r *Registry) head(ctx context.Context, ref string) (string, error) {
	parsed, err := r.reference(ref)
	if err != nil {
		return "", err
	}
	desc, err := remote.Head(parsed, r.remoteOptions(ctx)...)
	if err != nil {
		return "", err
	}
	return desc.Digest.String(), nil
}

// writeError writes an error in the form of the distribution specification
// (https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes).
func writeError(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": []map[string]string{{"code": code, "message": message}}})
}

func randomHex() string {
	data := make([]byte, 16)
	_, _ = rand.Read(data) // never fails, see crypto/rand
	return hex.EncodeToString(data)
}
