// Package azurefake speaks the parts of Microsoft Entra and of Azure Container Registry that samforge
// uses to log in. It is for tests: Azure's own services cannot run on a test's machine.
package azurefake

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// These are the one application, in one directory, and what it gets.
const (
	Tenant   = "aaaaaaaa-1111-2222-3333-444444444444"
	ClientID = "bbbbbbbb-1111-2222-3333-444444444444"
	User     = "00000000-0000-0000-0000-000000000000"
	Password = "refresh-token-of-the-registry"

	access = "access-token-of-entra"
)

// Server answers for the authority host and for registries. It is safe for concurrent use.
type Server struct {
	// IDToken is the token that the application trusts.
	IDToken string
	// Certificate is that of the application.
	Certificate *x509.Certificate
	// Failure is the error of Microsoft Entra to answer with, such as AADSTS700024; Denied refuses
	// tokens of the registry.
	Failure string
	Denied  bool
}

// NewCertificate makes a certificate for the application. text has it and its key, in PEM.
func NewCertificate() (certificate *x509.Certificate, text []byte, err error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048) // the only kind that Microsoft Entra takes
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ci"}, NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	certificate, err = x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	var out bytes.Buffer
	err = errors.Join(pem.Encode(&out, &pem.Block{Type: "PRIVATE KEY", Bytes: private}), pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return certificate, out.Bytes(), err
}

// Knows reports whether a request is one for the server.
func Knows(r *http.Request) bool {
	return strings.HasPrefix(r.Host, "login.microsoftonline.") || r.URL.Path == "/oauth2/exchange"
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	tenant, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case r.URL.Path == "/oauth2/exchange":
		s.exchange(w, r)
	case tenant != Tenant:
		refuse(w, "AADSTS90002", "Tenant '"+tenant+"' not found.")
	case rest == "v2.0/.well-known/openid-configuration":
		authority := "https://" + r.Host + "/" + tenant
		answer(w, map[string]any{
			"token_endpoint": authority + "/oauth2/v2.0/token", "authorization_endpoint": authority + "/oauth2/v2.0/authorize", "issuer": authority + "/v2.0",
		})
	case s.Failure != "":
		refuse(w, s.Failure, "The request is refused.")
	case r.FormValue("client_id") != ClientID:
		refuse(w, "AADSTS700016", "Application with identifier '"+r.FormValue("client_id")+"' was not found in the directory.")
	case r.FormValue("scope") == "" || !s.trusts(r.FormValue("client_assertion"), "https://"+r.Host+r.URL.Path):
		refuse(w, "AADSTS700213", "No matching federated identity record found for presented assertion.")
	default:
		answer(w, map[string]any{"token_type": "Bearer", "access_token": access, "expires_in": 3599})
	}
}

// trusts reports whether an assertion is the token, or is signed with the key of the certificate.
func (s *Server) trusts(assertion, audience string) bool {
	if s.IDToken != "" && assertion == s.IDToken {
		return true
	}
	if s.Certificate == nil {
		return false
	}
	_, err := jwt.Parse(assertion, func(*jwt.Token) (any, error) { return s.Certificate.PublicKey.(*rsa.PublicKey), nil }, jwt.WithAudience(audience), jwt.WithSubject(ClientID))
	return err == nil
}

func (s *Server) exchange(w http.ResponseWriter, r *http.Request) {
	if s.Denied || r.FormValue("grant_type") != "access_token" || r.FormValue("access_token") != access || r.FormValue("service") != r.Host || r.FormValue("tenant") != Tenant {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	answer(w, map[string]any{"refresh_token": Password})
}

func answer(w http.ResponseWriter, values map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(values)
}

// refuse answers as Microsoft Entra does, with lines that have identifiers of the request.
func refuse(w http.ResponseWriter, code, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusUnauthorized)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"error": "invalid_client", "error_description": code + ": " + text + " Trace ID: 1 Correlation ID: 2 Timestamp: 2026-01-01 00:00:00Z",
	})
}
