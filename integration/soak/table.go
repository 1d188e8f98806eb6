package main

import (
	"fmt"
	"maps"
	"slices"
	"text/tabwriter"
)

// print prints what happened.
func (s *soak) print() {
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	outcomes := []string{"as without faults", "failed", "killed"}
	fmt.Fprintf(w, "\nTASK\tRUNS\tAS WITHOUT FAULTS\tFAILED, SAID WHY\tKILLED\n")
	counts := map[string]map[string]int{}
	for _, r := range s.runs {
		if counts[r.name] == nil {
			counts[r.name] = map[string]int{}
		}
		counts[r.name][r.outcome()]++
	}
	for _, t := range s.tasks {
		all := 0
		for _, n := range counts[t.name] {
			all += n
		}
		fmt.Fprintf(w, "%s\t%d", t.name, all)
		for _, o := range outcomes {
			fmt.Fprintf(w, "\t%d", counts[t.name][o])
		}
		fmt.Fprintln(w)
	}
	faults := map[string]int{}
	for _, f := range s.faults {
		faults[f.kind.name]++
	}
	fmt.Fprintf(w, "\nFAULT\tTIMES\n")
	for _, name := range slices.Sorted(maps.Keys(faults)) {
		fmt.Fprintf(w, "%s\t%d\n", name, faults[name])
	}
	_ = w.Flush()
	messages, times := s.distinct()
	fmt.Fprintf(s.out, "\nWhat the failed runs said:\n")
	for _, m := range messages {
		fmt.Fprintf(s.out, "%4d  %s\n", times[m], m)
	}
	fmt.Fprintf(s.out, "\n%d problems\n", len(s.problems))
	for _, p := range s.problems {
		fmt.Fprintln(s.out, p)
	}
}
