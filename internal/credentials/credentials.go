// Package credentials finds and hides the user names, passwords and tokens in addresses.
//
// Addresses are written to many places that anyone may read: an image's history, its SBOM and
// provenance, the lock file, logs. So addresses with credentials are refused, and the message hides
// the credentials.
package credentials

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// In reports whether text contains an address with credentials.
func In(text string) bool { return len(find(text)) > 0 }

// Mask returns text with each character of the credentials in its addresses replaced by an x, so
// that every other character keeps its place.
func Mask(text string) string {
	var masked strings.Builder
	at := 0
	for _, found := range find(text) {
		masked.WriteString(text[at:found.start])
		masked.WriteString(strings.Repeat("x", utf8.RuneCountInString(text[found.start:found.end])))
		at = found.end
	}
	if at == 0 {
		return text
	}
	return masked.String() + text[at:]
}

// span is a part of a text: the credentials of an address, without the @ after them.
type span struct{ start, end int }

var (
	scheme = regexp.MustCompile(`(?i)\b[a-z][a-z0-9+.-]*://`)
	// space ends an address. It includes line breaks, so that masking does not change the number of
	// lines.
	space = regexp.MustCompile(`[\s\x{85}\x{2028}\x{2029}]`)
	// digest follows the @ of an image reference, which has no credentials before it.
	digest = regexp.MustCompile(`^sha(256|384|512):`)
)

// find returns the credentials in the addresses of a text.
func find(text string) []span {
	var spans []span
	addresses := scheme.FindAllStringIndex(text, -1)
	for n, found := range addresses {
		start, end := found[1], len(text)
		if n+1 < len(addresses) {
			end = addresses[n+1][0]
		}
		if loc := space.FindStringIndex(text[start:end]); loc != nil {
			end = start + loc[0]
		}
		if length, ok := userInfo(text[found[0]:found[1]], text[start:end]); ok {
			spans = append(spans, span{start, start + length})
		}
	}
	return spans
}

// userInfo returns the length of the user name and password that begin the rest of an address
// (https://www.rfc-editor.org/rfc/rfc3986#section-3.2.1).
func userInfo(scheme, rest string) (length int, ok bool) {
	authority, path := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		isDigest := digest.MatchString(authority[at+1:])
		return at, !isDigest && (takesToken(scheme) || strings.Contains(authority[:at], ":"))
	}
	// A password that contains one of /?# should be percent-encoded. If it is not, the text before
	// the first of them looks like a host with a port that is no number.
	at := strings.LastIndexByte(path, '@')
	return len(authority) + at, at >= 0 && !strings.HasPrefix(authority, "[") && hasWrongPort(authority)
}

// takesToken reports whether the user name alone may be a token, as with git and HTTP. With SSH and
// others only a password counts.
func takesToken(scheme string) bool {
	switch strings.TrimPrefix(strings.ToLower(scheme), "git+") {
	case "http://", "https://", "git://", "ftp://", "tcp://":
		return true
	}
	return false
}

func hasWrongPort(authority string) bool {
	_, port, ok := strings.Cut(authority, ":")
	return ok && strings.Trim(port, "0123456789") != ""
}

// Words that suggest a secret in the name of a build argument, and words that rule it out. They are
// those of BuildKit's rule SecretsUsedInArgOrEnv for Dockerfiles.
var (
	secretName   = regexp.MustCompile(`(?i)(?:_|^)(?:apikey|auth|credentials?|key|password|pword|passwd|secret|token)(?:_|$)`)
	harmlessName = regexp.MustCompile(`(?i)(?:_|^)(?:public|file|version)(?:_|$)`)
)

// LooksSecret reports whether a build argument of this name probably has a secret as its value.
func LooksSecret(name string) bool {
	return secretName.MatchString(name) && !harmlessName.MatchString(name)
}
