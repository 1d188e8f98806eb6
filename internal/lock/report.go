package lock

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/samforge/samforge/llbgen"
)

// Report says how a lock file differs from another, or from the current state of its sources.
type Report struct {
	// File is the path of the lock file.
	File     string   `json:"file"`
	UpToDate bool     `json:"upToDate"` // there are no changes
	Changes  []Change `json:"changes"`
}

// Change is an entry of a lock file that was added, removed or moved.
type Change struct {
	Kind string `json:"change"`
	// Name is a reference, with its platform in parentheses, a URL, or a package.
	Name string `json:"name"`
	// Before and After are its digests; empty if it was added or removed.
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// report compares the lock file as it was with another.
func (l *locking) report(after *llbgen.Lockfile) *Report {
	r := &Report{File: l.path, Changes: []Change{}}
	for _, c := range l.before.Diff(after) {
		kind := "moved"
		if c.Before == "" {
			kind = "added"
		} else if c.After == "" {
			kind = "removed"
		}
		r.Changes = append(r.Changes, Change{kind, c.Name, c.Before.String(), c.After.String()})
	}
	r.UpToDate = len(r.Changes) == 0
	return r
}

// WriteJSON writes the report for programs.
func (r *Report) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

// WriteTable writes the changes for people, a line each.
func (r *Report) WriteTable(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range r.Changes {
		if c.Kind == "moved" {
			c.After = c.Before + " -> " + c.After
		} else if c.Kind == "removed" {
			c.After = c.Before
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", c.Kind, c.Name, c.After)
	}
	return table.Flush()
}
