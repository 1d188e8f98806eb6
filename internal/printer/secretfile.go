package printer

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// notSecret are the keys of .npmrc and similar files whose values are public.
var notSecret = []string{
	"registry", "username", "user", "email", "login", "always-auth", "strict-ssl", "cafile", "certfile", "keyfile", "proxy",
	"https-proxy", "noproxy", "region", "output", "machine", "legacy-peer-deps", "fund", "audit", "loglevel",
}

// certificate matches a certificate in PEM, which is public. A bundle has thousands of lines of
// them.
var certificate = regexp.MustCompile(`(?s)-----BEGIN (?:TRUSTED )?CERTIFICATE-----.*?-----END (?:TRUSTED )?CERTIFICATE-----`)

// AddFile masks the secret parts of a file: all of its content, and, if it has lines or keys or is
// JSON, those parts. The value of a key that is known to be public, such as the registry of an
// .npmrc, stays readable, because messages are useless without it.
func (s *Secrets) AddFile(data []byte) {
	text := strings.TrimSpace(certificate.ReplaceAllString(string(data), ""))
	var found []string
	var parsed any
	lines := strings.Split(text, "\n")
	switch {
	case json.Unmarshal([]byte(text), &parsed) == nil:
		found = ofJSON("", parsed)
	case len(lines) == 1 && !strings.ContainsAny(text, "= "):
		found = []string{text}
	default:
		for _, line := range lines {
			found = append(found, ofLine(strings.TrimSpace(line))...)
		}
	}
	s.Add(found...)
}

// ofLine returns the secrets of a line: the value of KEY=VALUE, else the whole line and the
// passwords of .netrc.
func ofLine(line string) []string {
	if line == "" || strings.HasPrefix(line, "-----") || strings.ContainsAny(line[:1], "#;[") {
		return nil // the frame of a PEM block, a comment, a section
	}
	if key, value, ok := cutAssignment(line); ok {
		return ofValue(key, strings.Trim(strings.TrimSpace(value), `"'`))
	}
	found := []string{line}
	words := strings.Fields(line)
	for i, word := range words {
		if i > 0 && words[i-1] == "password" {
			found = append(found, word)
		}
	}
	return found
}

// cutAssignment splits KEY=VALUE. An "=" at the end of base64 does not count.
func cutAssignment(line string) (key, value string, ok bool) {
	key, value, ok = strings.Cut(line, "=")
	return strings.TrimSpace(key), value, ok && strings.Trim(value, "=") != ""
}

// ofValue returns the secret that a value is or contains, as an address does.
func ofValue(key, value string) []string {
	if u, err := url.Parse(value); err == nil && u.User != nil {
		if password, ok := u.User.Password(); ok {
			return []string{password, base64.StdEncoding.EncodeToString([]byte(u.User.Username() + ":" + password))}
		}
		return []string{u.User.Username()}
	}
	if isNoSecret(key) || value == "true" || value == "false" || strings.HasPrefix(value, "${") {
		return nil
	}
	return []string{value}
}

// isNoSecret reports whether the last part of a key, such as //registry.example.com/:email or
// @scope:registry, is known to be public.
func isNoSecret(key string) bool {
	key = strings.ToLower(key[strings.LastIndex(key, ":")+1:])
	return slices.Contains(notSecret, key)
}

func ofJSON(key string, value any) (found []string) {
	switch v := value.(type) {
	case string:
		return ofValue(key, v)
	case []any:
		for _, item := range v {
			found = append(found, ofJSON(key, item)...)
		}
	case map[string]any:
		for key, item := range v {
			found = append(found, ofJSON(key, item)...)
		}
	}
	return found
}
