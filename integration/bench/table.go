package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// samples are the measurements of one row.
type samples []time.Duration

// median returns the middle of the samples, or the mean of the middle two if their number is even;
// 0 without any.
func (s samples) median() time.Duration {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// String formats the fastest and the slowest sample.
func (s samples) String() string {
	if len(s) == 0 {
		return "-"
	}
	return seconds(slices.Min(s)) + "-" + seconds(slices.Max(s))
}

// seconds formats a duration in seconds, or in milliseconds below one second.
func seconds(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%.3f s", d.Seconds())
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

// ratio formats a divided by b.
func ratio(a, b time.Duration) string {
	if b <= 0 {
		return "-"
	}
	return fmt.Sprintf("%.1fx", quotient(a, b))
}

func quotient(a, b time.Duration) float64 { return a.Seconds() / b.Seconds() }

func megabytes(n int64) string { return fmt.Sprintf("%.1f", float64(n)/(1<<20)) }

// printTable prints a section: its title, what was measured, and aligned rows
// below a header.
func printTable(title, explanation string, header []string, rows [][]string) {
	fmt.Printf("\n%s\n%s\n%s\n\n", title, strings.Repeat("=", len(title)), explanation)
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{header}, rows...) {
		fmt.Fprintln(table, strings.Join(row, "\t"))
	}
	_ = table.Flush() // fails if Stdout does
	fmt.Println()
}

// figure is a row of the table that sums everything up.
type figure struct {
	what, by string
	wall     time.Duration
	ours     bool // the others of the same subject are compared with it
}

// figure records how long something took.
func (b *bench) figure(what, by string, wall time.Duration, ours bool) {
	b.figures = append(b.figures, figure{what, by, wall, ours})
}

// printFigures prints one table in Markdown: how many times as long as samforge the others take for
// the same.
func (b *bench) printFigures() {
	ours := map[string]time.Duration{}
	for _, f := range b.figures {
		if f.ours {
			ours[f.what] = f.wall
		}
	}
	fmt.Print("\n| what | by | against samforge | wall |\n|---|---|---|---|\n")
	for _, f := range b.figures {
		fmt.Printf("| %s | %s | %s | %s |\n", f.what, f.by, ratio(f.wall, ours[f.what]), seconds(f.wall))
	}
}

// claim is something that samforge promises.
type claim struct {
	text  string
	holds bool
}

// claim prints whether a promise holds, with the measured figure.
func (b *bench) claim(holds bool, promise, figure string) {
	b.claims = append(b.claims, claim{promise, holds})
	verdict := "holds:"
	if !holds {
		verdict = "DOES NOT HOLD:"
	}
	fmt.Printf("  %-14s  %s: %s\n", verdict, promise, figure)
}

// claimBelow claims that a time is below a limit.
func (b *bench) claimBelow(what string, got, limit time.Duration) {
	b.claim(got < limit, fmt.Sprintf("%s < %s", what, seconds(limit)), seconds(got))
}

// broken returns how many claims do not hold.
func (b *bench) broken() int {
	n := 0
	for _, c := range b.claims {
		if !c.holds {
			n++
		}
	}
	return n
}
