package builder

import (
	"fmt"
	"regexp"
)

// startingInNamespace begins the keeper's error when it cannot start its command in a user
// namespace.
const startingInNamespace = "start in a user namespace with one id"

// otherOwners match what BuildKit and runc say about ids that the user namespace does not have.
var otherOwners = []struct {
	words *regexp.Regexp
	means string // $1 is the first group of words
}{
	{regexp.MustCompile(`failed to Lchown "(?:[^"]*/(?:fs|containerd-mount\d+))?(/[^"]*)" for (UID \d+, GID \d+)`), "the image has the file $1 of $2"},
	{regexp.MustCompile(`lchown (?:[^\s:]*/(?:fs|containerd-mount\d+))?(/[^\s:]*): invalid argument`), "the step gives the file $1 to a user or a group other than root"},
	{regexp.MustCompile(`unable to setup user: `), "the step runs as a user other than root"},
}

// ExplainOwners returns a sentence about a failure that comes from the one user id that a private
// buildkitd has where it cannot have more. It returns "" for other failures and other builders.
func (b *Builder) ExplainOwners(text string) string {
	if b == nil || b.oneID == nil {
		return ""
	}
	for _, rule := range otherOwners {
		if m := rule.words.FindStringSubmatchIndex(text); m != nil {
			return fmt.Sprintf("%s, and %s: this builder has only root's id; use a builder with more ids (`samforge doctor` says what it needs), or name one with --builder",
				rule.words.ExpandString(nil, rule.means, text, m), b.oneID.Sentence)
		}
	}
	return ""
}
