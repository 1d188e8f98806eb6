// Package suggest finds the word that a misspelt one was most likely meant to be.
package suggest

import (
	"cmp"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
)

// Nearest returns the known word that word was most likely meant to be, or ""
// when none is near: more than a third of the longer word differs. The first
// of equally near words wins. Upper and lower case are the same.
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

// distance returns how many letters have to be inserted, removed or replaced to make b of a. Two
// neighbours that are swapped, once in a word, count as one.
func distance(a, b string) int {
	best := levenshtein.Distance(a, b, nil)
	for i := 1; i < len(a); i++ {
		swapped := a[:i-1] + a[i:i+1] + a[i-1:i] + a[i+1:]
		best = min(best, 1+levenshtein.Distance(swapped, b, nil))
	}
	return best
}
