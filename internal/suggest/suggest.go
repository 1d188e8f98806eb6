// Package suggest finds the word that a user most likely meant by a misspelt one.
package suggest

import (
	"cmp"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
)

// Nearest returns the known word that the user most likely meant, or "" if none is near. A word is
// not near if more than a third of the longer word differs. Among equally near words the first
// wins. Case does not matter.
func Nearest(word string, known []string) string {
	type candidate struct {
		word     string
		distance int
	}
	var near []candidate
	for _, k := range known {
		longer := max(len(word), len(k))
		if 3*(longer-min(len(word), len(k))) > longer {
			continue // such as a key of a megabyte
		}
		if d := distance(strings.ToLower(word), strings.ToLower(k)); 3*d <= longer {
			near = append(near, candidate{k, d})
		}
	}
	if len(near) == 0 {
		return ""
	}
	return slices.MinFunc(near, func(a, b candidate) int { return cmp.Compare(a.distance, b.distance) }).word
}

// distance returns how many letters have to be inserted, removed or replaced to turn a into b. A
// swap of two neighbours, once in a word, counts as one.
func distance(a, b string) int {
	best := levenshtein.Distance(a, b, nil)
	for i := 1; i < len(a); i++ {
		swapped := a[:i-1] + a[i:i+1] + a[i-1:i] + a[i+1:]
		best = min(best, 1+levenshtein.Distance(swapped, b, nil))
	}
	return best
}
