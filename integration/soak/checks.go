package main

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/samforge/samforge/integration/testenv"
)

// checks is what the checks remember.
type checks struct {
	pushed  []pushed // and not yet looked at
	whole   int      // images that were looked at
	read    map[string]bool
	samples []sample
	doubled int // blobs that were sent again for a known reason
	folders int // empty ones that private builders left when they were killed
}

// pushed is an image that a run said it pushed.
type pushed struct {
	run         int
	tag, digest string
}

// check checks what is there when nothing runs.
func (s *soak) check(ctx context.Context) error {
	if err := s.checkPushed(ctx); err != nil {
		return err
	}
	if err := s.checkLeft(ctx); err != nil {
		return err
	}
	return s.sample(ctx)
}

// checkPushed checks that all is in the registry that runs said they pushed.
func (s *soak) checkPushed(ctx context.Context) error {
	if s.checks.read == nil {
		s.checks.read = map[string]bool{}
	}
	for _, p := range s.checks.pushed {
		registry, ref := s.registry, strings.Replace(p.tag, s.relay.Addr+"/", s.registry.Addr+"/", 1)
		if strings.HasPrefix(p.tag, testenv.AWSHost+"/") {
			registry, ref = s.ecr, strings.Replace(p.tag, testenv.AWSHost+"/", s.ecr.Addr+"/", 1)
		}
		if err := registry.Whole(ctx, ref, p.digest, s.checks.read); err != nil {
			s.problem("run %d said that it pushed %s@%s: %v", p.run, p.tag, p.digest, err)
		}
		s.checks.whole++
	}
	s.checks.pushed = nil
	return ctx.Err()
}

// checkLeft checks that builders and clients have left nothing.
func (s *soak) checkLeft(ctx context.Context) error {
	for _, b := range s.builders {
		left, err := s.settled(ctx, b)
		if err != nil {
			return err
		}
		b.known = 0
		for _, l := range left {
			if l.Known {
				b.known++
				continue
			}
			s.problem("the %s builder, which builds nothing, has the %s", b.name, l.What)
		}
	}
	for _, pid := range s.clientProcesses() {
		command, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		s.problem("no client runs, but this does: %s", strings.ReplaceAll(string(command), "\x00", " "))
	}
	return nil
}

// settled returns what a builder has left of builds. buildkitd ends some things after it has told the
// client that a build is over, so it has a few seconds for that.
func (s *soak) settled(ctx context.Context, b *builder) (left []testenv.Leftover, err error) {
	for end := time.Now().Add(10 * time.Second); ; {
		left, err = b.Left(ctx)
		known := !slices.ContainsFunc(left, func(l testenv.Leftover) bool { return !l.Known })
		if err != nil || known || time.Now().After(end) {
			return left, err
		}
		pause(ctx, 100*time.Millisecond)
	}
}

// clientProcesses returns the ids of clients, and of what they started: the folder of all clients is
// in their environment.
func (s *soak) clientProcesses() (pids []int) {
	environments, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range environments {
		if environment, err := os.ReadFile(file); err == nil && strings.Contains(string(environment), s.dir+"/") {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			pids = append(pids, pid)
		}
	}
	return pids
}

// leftInFolders returns what clients have left in their folders for temporary files, sockets and
// output.
func (s *soak) leftInFolders() (files []string) {
	for _, folder := range []string{"tmp", "run", "out"} {
		root := filepath.Join(s.dir, folder)
		_ = filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if err == nil && path != root {
				files = append(files, strings.TrimPrefix(path, s.dir+"/"))
			}
			return nil
		})
	}
	return files
}

// checkFolders checks that clients have left nothing. before is what was there before the last runs:
// a client that is killed leaves its files, and the next one removes them.
func (s *soak) checkFolders(before []string) {
	killed := slices.ContainsFunc(s.faults, func(f *fault) bool { return f.name == privateKilled })
	s.checks.folders = 0
	for _, file := range s.leftInFolders() {
		if killed && testenv.EmptyLeft(filepath.Join(s.dir, file)) {
			s.checks.folders++
			continue
		}
		s.problem("clients have left %s, of %d files before the last runs without faults", file, len(before))
	}
}

// answerLost is the time in which a client may notice that it lost the answer to an upload.
const answerLost = 3 * time.Second

// checkDoubles checks that each repository was sent each blob once, but for two cases that are
// BuildKit's: an answer that a fault made it lose, and uploads at the same moment.
func (s *soak) checkDoubles() {
	for name, registry := range map[string]*testenv.Registry{"the registry": s.registry, "Amazon ECR": s.ecr} {
		uploads := map[string][]testenv.Upload{}
		for _, u := range registry.Uploads() {
			key := u.Repository + "@" + u.Digest
			uploads[key] = append(uploads[key], u)
		}
		for key, all := range uploads {
			slices.SortFunc(all, func(a, b testenv.Upload) int { return a.Began.Compare(b.Began) })
			for i := range all[1:] {
				first, again := all[i], all[i+1]
				s.checks.doubled++
				if again.Began.After(first.Accepted.Add(time.Second)) && !s.faulty(first.Began, first.Accepted.Add(answerLost)) {
					s.problem("%s accepted %s at %s and again %s later", name, key, first.Accepted.Format(time.TimeOnly), again.Accepted.Sub(first.Accepted))
				}
			}
		}
	}
}

// faulty reports whether there was a fault of a registry, a builder or the network at some time
// between the two.
func (s *soak) faulty(from, to time.Time) bool {
	return slices.ContainsFunc(s.faults, func(f *fault) bool {
		return f.target != clients && f.began.Before(to) && (f.ended.IsZero() || f.ended.After(from))
	})
}

// sample is what everything has in memory when nothing runs.
type sample struct {
	heaps    []testenv.Heap // of the builders
	registry int64          // resident, in bytes
}

func (s *soak) sample(ctx context.Context) error {
	var now sample
	for _, b := range s.builders {
		heap, err := b.Heap(ctx)
		if err != nil {
			return err
		}
		now.heaps = append(now.heaps, heap)
	}
	now.registry = s.registry.Memory()
	s.checks.samples = append(s.checks.samples, now)
	s.say("%d runs, %d faults, %d problems; heaps %v, registry %d MB", s.number, len(s.faults), len(s.problems), now.heaps, now.registry>>20)
	return nil
}

// checkMemory compares the medians of the first and the last third of the samples, and of the peaks
// of clients.
func (s *soak) checkMemory() {
	grown := func(what string, values []int64, slack int64) {
		first, last := thirds(values)
		if last > first*3/2+slack {
			s.problem("%s has grown: %d in the first third of the time, %d in the last (medians)", what, first, last)
		}
	}
	for i, b := range s.builders {
		bytes, goroutines := s.held(func(now sample) testenv.Heap { return now.heaps[i] })
		grown("the heap of the "+b.name+" builder", bytes, 16<<20)
		grown("the number of goroutines of the "+b.name+" builder", goroutines, 20)
	}
	grown("the registry", s.resident(), 32<<20)
	for _, t := range s.tasks {
		grown(fmt.Sprintf("%q", t.name), s.peaks(t), 16<<20)
	}
}

// held returns the bytes and the goroutines of a builder in all samples.
func (s *soak) held(of func(sample) testenv.Heap) (bytes, goroutines []int64) {
	for _, now := range s.checks.samples {
		heap := of(now)
		bytes, goroutines = append(bytes, heap.Bytes), append(goroutines, int64(heap.Goroutines))
	}
	return bytes, goroutines
}

func (s *soak) resident() (bytes []int64) {
	for _, now := range s.checks.samples {
		bytes = append(bytes, now.registry)
	}
	return bytes
}

// peaks returns the peaks of the runs of a task that ended well, in their order.
func (s *soak) peaks(t *task) (peaks []int64) {
	for _, r := range s.runs {
		if r.task == t && r.asWithoutFaults() {
			peaks = append(peaks, r.peak)
		}
	}
	return peaks
}

// thirds returns the medians of the first and the last third.
func thirds(values []int64) (first, last int64) {
	n := (len(values) + 2) / 3
	return median(values[:n]), median(values[len(values)-n:])
}

func median[T cmp.Ordered](values []T) (m T) {
	if len(values) == 0 {
		return m
	}
	return slices.Sorted(slices.Values(values))[len(values)/2]
}
