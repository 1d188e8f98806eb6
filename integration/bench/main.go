// Command bench measures samforge side by side with what people do today, in one run and on one
// machine: real buildkitds, a real registry and stand-ins for the images that cannot be pulled. For
// each section it prints a table, ratios first, and then samforge's promises and whether they hold.
// It exits with 1 if a promise does not hold or cannot be measured.
//
// It needs root, for the rootful buildkitd and for debootstrap. It leaves nothing behind except
// stand-ins in the user's cache directory.
//
// main.go runs the sections and bed.go is their test bed. Each section has its own file:
// oneimage.go, again.go, matrix.go, digests.go, memory.go, serverless.go, doors.go, changes.go,
// application.go, step.go, invoke.go.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/samforge/samforge/internal/builder"
)

// section is one subject of the benchmark.
type section struct {
	name string
	run  func(*bench, context.Context) error
}

func sections() []section {
	return []section{
		{"one-image", (*bench).oneImage},
		{"again", (*bench).again},
		{"matrix", (*bench).matrix},
		{"digests", (*bench).digests},
		{"memory", (*bench).memory},
		{"serverless", (*bench).serverless},
		{"doors", (*bench).doors},
		{"changes", (*bench).changes},
		{"application", (*bench).applications},
		{"step", (*bench).steps},
		{"invoke", (*bench).invocations},
	}
}

func main() {
	builder.Keeper()
	if len(os.Args) > 1 && os.Args[1] == measureVerb {
		os.Exit(measureChild(os.Args[2], os.Args[3:]))
	}
	var names []string
	for _, s := range sections() {
		names = append(names, s.name)
	}
	runs := flag.Int("runs", 3, "how often each row is measured; the median is shown")
	size := flag.Int64("base-size", 900, "size of the base image of the section one-image in MB, compressed; others derive from it")
	only := flag.String("only", "", "run this section only: "+strings.Join(names, ", "))
	flag.Parse()
	if *runs < 1 || *size < 200 || *only != "" && !slices.Contains(names, *only) {
		fmt.Fprintln(os.Stderr, "bench: -runs must be at least 1, -base-size at least 200, -only one of", strings.Join(names, ", "))
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	broken, err := run(ctx, *runs, *size<<20, *only)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
	if err != nil || broken > 0 {
		os.Exit(1)
	}
}

// run returns how many claims do not hold.
func run(ctx context.Context, runs int, size int64, only string) (broken int, err error) {
	b := &bench{runs: runs, baseSize: size}
	defer func() { err = errors.Join(err, b.close()) }()
	if err := b.start(ctx); err != nil {
		return 0, err
	}
	fmt.Printf("samforge benchmark: %d CPUs, Linux on %s, load %s, %d runs a row (median; fastest and slowest beside it), buildkitd's state in memory\n",
		runtime.NumCPU(), runtime.GOARCH, loadAverage(), runs)
	for _, s := range sections() {
		if only != "" && only != s.name {
			continue
		}
		if err := s.run(b, ctx); err != nil {
			return b.broken(), fmt.Errorf("section %s: %w", s.name, err)
		}
	}
	b.printFigures()
	fmt.Printf("\nclaims: %d hold, %d do not\n", len(b.claims)-b.broken(), b.broken())
	return b.broken(), nil
}

// loadAverage shows how busy the machine was.
func loadAverage() string {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(data))[:3], " ")
}
