// Package credentials finds and hides the user names, passwords and tokens in addresses.
//
// Addresses are written to many places that anyone may read: an image's history, its SBOM and
// provenance, the lock file, logs. So credentials in them are refused, and hidden where the
// refusal is shown.
package credentials

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// end is the class of characters that end the host of an address: white space and line breaks too,
// so that a text has as many lines when it is masked.
const end = `\s\x{85}\x{2028}\x{2029}/?#`

// userInfo matches an address up to the @ behind its user name and password. A user name alone may
// be a token. For SSH it is not, and only a password counts.
var userInfo = regexp.MustCompile(`(?i)\b((?:(?:git\+)?https?|git|ftp|tcp)://)([^` + end + `]*)@|\b((?:git\+)?ssh://)([^:@` + end + `]*:[^` + end + `]*)@`)

// In reports whether text has an address with credentials in it.
func In(text string) bool { return userInfo.MatchString(text) }

// Mask returns text with an x for each character of the credentials in its addresses.
func Mask(text string) string {
	return userInfo.ReplaceAllStringFunc(text, func(found string) string {
		m := userInfo.FindStringSubmatch(found)
		scheme, user := m[1]+m[3], m[2]+m[4]
		return scheme + strings.Repeat("x", utf8.RuneCountInString(user)) + "@"
	})
}
