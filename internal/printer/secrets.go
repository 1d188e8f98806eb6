package printer

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/samforge/samforge/internal/credentials"
)

// Secrets are texts that must not be printed. The zero value has none. It is safe for concurrent
// use.
type Secrets struct {
	// Workflow is the CI system that shows what is printed. No foreign text is a command to it.
	Workflow Workflow

	mu     sync.RWMutex
	values [256][]string // by their first byte, the longest first
}

type contextKey struct{}

// NewContext returns a context that carries the secrets to code that serves some.
func NewContext(ctx context.Context, s *Secrets) context.Context {
	return context.WithValue(ctx, contextKey{}, s)
}

// FromContext returns the secrets that ctx carries, or new ones.
func FromContext(ctx context.Context) *Secrets {
	if s, ok := ctx.Value(contextKey{}).(*Secrets); ok {
		return s
	}
	return &Secrets{}
}

const (
	mask = "***"
	// shortest is the minimum length of a masked text: a shorter one occurs in too many words.
	shortest = 6
)

// Add masks these values from now on, in plain and in the encodings that servers and programs use.
func (s *Secrets) Add(values ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, value := range values {
		for _, form := range encoded(strings.TrimSpace(value)) {
			if len(form) >= shortest {
				s.add(form)
			}
		}
	}
}

func (s *Secrets) add(form string) {
	known := &s.values[form[0]]
	if slices.Contains(*known, form) {
		return
	}
	*known = append(*known, form)
	slices.SortStableFunc(*known, func(a, b string) int { return len(b) - len(a) })
}

// AddLogin masks a password or token, and its form in HTTP's Basic authentication.
func (s *Secrets) AddLogin(user, password string) {
	if password != "" {
		s.Add(password, base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
	}
}

// cacheKey matches a secret among the attributes of a cache or an output
// (https://docs.docker.com/build/cache/backends/).
var cacheKey = regexp.MustCompile(`(?i)(?:^|[,="])(?:secret_access_key|session_token|account_key|token|ghtoken)=([^,"]+)`)

// AddArguments masks the secrets in the arguments of a command: the keys of a cache in S3, in Azure
// or at GitHub.
func (s *Secrets) AddArguments(args []string) {
	for _, arg := range args {
		if !strings.Contains(arg, "type=") {
			continue
		}
		for _, found := range cacheKey.FindAllStringSubmatch(arg, -1) {
			s.Add(found[1])
		}
	}
}

// AddAuthorization masks the value of HTTP's Authorization header.
func (s *Secrets) AddAuthorization(header string) {
	_, value, _ := strings.Cut(header, " ")
	s.Add(value)
}

// encoded returns the encoded forms of a value. The last characters of base64 depend on the text
// that follows.
func encoded(value string) []string {
	if value == "" {
		return nil
	}
	text, _ := json.Marshal(value) // cannot fail
	b64 := base64.StdEncoding.EncodeToString([]byte(value))
	return []string{
		value,
		strings.Trim(string(text), `"`),
		url.QueryEscape(value),
		url.PathEscape(value),
		b64,
		strings.TrimRight(b64, "="),
		base64.RawURLEncoding.EncodeToString([]byte(value)),
	}
}

// Mask returns text with *** in place of each secret, and with the credentials in addresses hidden.
func (s *Secrets) Mask(text string) string { return credentials.Mask(s.replace(text)) }

// replace returns text with *** in place of each secret.
func (s *Secrets) replace(text string) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out strings.Builder
	at := 0
	for start, end := s.find(text, 0); start < len(text); start, end = s.find(text, end) {
		out.WriteString(text[at:start] + mask)
		at = end
	}
	if at == 0 {
		return text
	}
	return out.String() + text[at:]
}

// find returns where the first secret in text[from:] starts and ends, or len(text) for both if
// there is none.
func (s *Secrets) find(text string, from int) (start, end int) {
	for i := from; i < len(text); i++ {
		for _, value := range s.values[text[i]] {
			if strings.HasPrefix(text[i:], value) {
				return i, i + len(value)
			}
		}
	}
	return len(text), len(text)
}

// Text returns text in a form that may be printed: masked and escaped.
func (s *Secrets) Text(text string) string { return s.Workflow.harmless(Escape(s.Mask(text))) }

// Line is Text for text that must stay on one line.
func (s *Secrets) Line(text string) string { return s.Workflow.harmless(EscapeLine(s.Mask(text))) }

// begun returns how many bytes at the end of text may be the beginning of a secret. A whole secret
// does not count.
func (s *Secrets) begun(text string) int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	cut := s.firstBegun(text, 0)
	for start, end := s.find(text, 0); start < cut; start, end = s.find(text, end) {
		if cut < end {
			cut = s.firstBegun(text, end)
		}
	}
	return len(text) - cut
}

// firstBegun returns the place in text[from:] from which the rest of the text may be the beginning
// of a secret.
func (s *Secrets) firstBegun(text string, from int) int {
	for i := from; i < len(text); i++ {
		for _, value := range s.values[text[i]] {
			if len(value) > len(text)-i && strings.HasPrefix(value, text[i:]) {
				return i
			}
		}
	}
	return len(text)
}
