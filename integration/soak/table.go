package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/samforge/samforge/integration/testenv"
)

// print prints what happened.
func (s *soak) print() {
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	s.printRuns(w)
	fmt.Fprintf(w, "\nFAULT\tTIMES\tRUNS AT THE TIME\tFAILED\n")
	for _, k := range kinds {
		times, hit, failed := 0, 0, 0
		for _, f := range s.faults {
			if f.kind == k {
				times++
			}
		}
		for _, r := range s.runs {
			for _, f := range r.hits {
				if f.kind != k {
					continue
				}
				hit++
				if !r.asWithoutFaults() {
					failed++
				}
			}
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\n", k.name, times, hit, failed)
	}
	s.printMemory(w)
	_ = w.Flush()
	fmt.Fprintf(s.out, "\n%d images that runs said they pushed are whole in the registry\n", s.checks.whole)
	fmt.Fprintf(s.out, "%d blobs were uploaded, %d of them again: an answer was lost in a fault, or several uploads began at once\n",
		len(s.registry.Uploads())+len(s.ecr.Uploads()), s.checks.doubled)
	for _, b := range s.builders {
		fmt.Fprintf(s.out, "the %s builder has %d files, ended processes and empty control groups that BuildKit is known to leave\n", b.name, b.known)
	}
	if s.checks.folders > 0 {
		fmt.Fprintf(s.out, "%d empty folders in TMPDIR are from private builders that were killed\n", s.checks.folders)
	}
	messages, times := s.distinct()
	fmt.Fprintf(s.out, "\nWhat the failed runs said:\n")
	for _, m := range messages {
		fmt.Fprintf(s.out, "%4d  %s\n", times[m], m)
	}
	fmt.Fprintf(s.out, "\nproblems: %d\n", len(s.problems))
	for _, p := range s.problems {
		fmt.Fprintln(s.out, p)
	}
}

func (s *soak) printRuns(w *tabwriter.Writer) {
	fmt.Fprintf(w, "\nRUNS\tALL\tWITH FAULTS\tAS WITHOUT FAULTS\tFAILED AND SAID WHY\tKILLED\n")
	var sum [5]int
	row := func(name string, n [5]int) {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\n", name, n[0], n[1], n[2], n[3], n[4])
	}
	for _, t := range s.tasks {
		var n [5]int
		for _, r := range s.runs {
			if r.task != t {
				continue
			}
			n[0]++
			if len(r.hits) > 0 {
				n[1]++
			}
			n[map[string]int{"as without faults": 2, "failed": 3, "killed": 4}[r.outcome()]]++
		}
		for i := range sum {
			sum[i] += n[i]
		}
		row(t.name, n)
	}
	row("all", sum)
}

func (s *soak) printMemory(w *tabwriter.Writer) {
	fmt.Fprintf(w, "\nMEMORY (medians)\tFIRST THIRD\tLAST THIRD\n")
	row := func(what string, values []int64, unit int64, name string) {
		first, last := thirds(values)
		fmt.Fprintf(w, "%s\t%d %s\t%d %s\n", what, first/unit, name, last/unit, name)
	}
	for i, b := range s.builders {
		bytes, goroutines := s.held(func(now sample) testenv.Heap { return now.heaps[i] })
		row("the "+b.name+" builder's heap", bytes, 1<<20, "MB")
		row("the "+b.name+" builder's goroutines", goroutines, 1, "")
	}
	row("the registry, resident", s.resident(), 1<<20, "MB")
	for _, t := range s.tasks {
		row("a client's peak, "+t.name, s.peaks(t), 1<<20, "MB")
	}
}
