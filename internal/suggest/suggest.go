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
		d := levenshtein.Distance(strings.ToLower(word), strings.ToLower(k), nil)
		if 3*d <= max(len(word), len(k)) {
			near = append(near, candidate{k, d})
		}
	}
	if len(near) == 0 {
		return ""
	}
	return slices.MinFunc(near, func(a, b candidate) int { return cmp.Compare(a.distance, b.distance) }).word
}
