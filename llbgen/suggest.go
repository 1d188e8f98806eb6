package llbgen

import (
	"cmp"
	"slices"
	"strings"
)

// nearest returns the known word that word was most likely meant to be, or ""
// when none is near: more than a third of the longer word differs. The first
// of equally near words wins. Upper and lower case are the same.
func nearest(word string, known []string) string {
	type candidate struct {
		word     string
		distance int
	}
	var near []candidate
	for _, k := range known {
		d := editDistance(strings.ToLower(word), strings.ToLower(k))
		if 3*d <= max(len(word), len(k)) {
			near = append(near, candidate{k, d})
		}
	}
	if len(near) == 0 {
		return ""
	}
	return slices.MinFunc(near, func(a, b candidate) int { return cmp.Compare(a.distance, b.distance) }).word
}

// editDistance counts the bytes to insert, delete or replace to turn a into b
// (Levenshtein), one row of the table at a time.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
