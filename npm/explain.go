package npm

import (
	"regexp"
	"strings"
)

// explanation matches a sentence that a script of this package prints before it fails.
var explanation = regexp.MustCompile(`(?m)^samforge: (.+)$`)

// Explain returns the sentences in a step's log that say why the package could not be installed, or
// "". Users who build without samforge read the same sentences in the log.
func Explain(log string) string {
	var sentences []string
	for _, found := range explanation.FindAllStringSubmatch(log, -1) {
		sentences = append(sentences, found[1])
	}
	return strings.Join(sentences, "; ")
}
