package npm

import (
	"regexp"
	"strings"
)

// told is a sentence that a script of this package ends with.
var told = regexp.MustCompile(`(?m)^samforge: (.+)$`)

// Explain returns what the step says in the user's terms of why the package could not be installed, by
// what the step printed; or "" where it says nothing. Whoever builds without samforge reads the same
// sentences in the step's log.
func Explain(log string) string {
	var sentences []string
	for _, found := range told.FindAllStringSubmatch(log, -1) {
		sentences = append(sentences, found[1])
	}
	return strings.Join(sentences, "; ")
}
