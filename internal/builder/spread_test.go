package builder

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
)

var three = []string{"tcp://a:1234", "tcp://b:1234", "tcp://c:1234"}

// groups are the names of many groups of jobs.
func groups() []string {
	var names []string
	for i := range 300 {
		names = append(names, fmt.Sprintf("python3.%d", i))
	}
	return names
}

// Changing this would move every target away from its cache.
func TestAGroupKeepsItsBuilder(t *testing.T) {
	t.Parallel()
	a, b, c := three[0], three[1], three[2]
	for group, want := range map[string][]string{"python3.12": {a, c, b}, "nodejs22.x": {c, a, b}, "java21": {c, b, a}} {
		if got := ranked(group, three); !slices.Equal(got, want) {
			t.Errorf("%s goes to %q, want %q", group, got, want)
		}
	}
}

func TestTheOrderOfTheListDoesNotMatter(t *testing.T) {
	t.Parallel()
	reversed := slices.Clone(three)
	slices.Reverse(reversed)
	for _, group := range groups() {
		if a, b := ranked(group, three), ranked(group, reversed); !slices.Equal(a, b) {
			t.Errorf("%s goes to %q, in another order to %q", group, a, b)
		}
	}
}

func TestEveryBuilderGetsItsShare(t *testing.T) {
	t.Parallel()
	share := map[string]int{}
	for _, group := range groups() {
		share[ranked(group, three)[0]]++
	}
	for _, address := range three {
		if n := share[address]; n < 75 || n > 125 {
			t.Errorf("%s has %d of 300 groups, want about 100", address, n)
		}
	}
}

func TestOneBuilderMoreTakesFromTheOthersAndMovesNothingBetweenThem(t *testing.T) {
	t.Parallel()
	const added = "tcp://d:1234"
	moved := 0
	for _, group := range groups() {
		before, after := ranked(group, three)[0], ranked(group, append(slices.Clone(three), added))[0]
		if after == before {
			continue
		}
		moved++
		if after != added {
			t.Errorf("%s moved from %s to %s", group, before, after)
		}
	}
	if moved < 50 || moved > 100 {
		t.Errorf("%d of 300 groups moved, want about 75", moved)
	}
}

func TestOneBuilderLessMovesOnlyItsOwn(t *testing.T) {
	t.Parallel()
	for _, group := range groups() {
		all, fewer := ranked(group, three), ranked(group, three[1:])
		if want := slices.DeleteFunc(slices.Clone(all), func(a string) bool { return a == three[0] }); !slices.Equal(fewer, want) {
			t.Errorf("%s goes to %q, without %s to %q", group, all, three[0], fewer)
		}
	}
}

// fakes are builders that solve at once, and that record their jobs.
type fakes struct {
	dies map[string]bool  // addresses of builders that are lost when they solve
	errs map[string]error // by job: its error on any builder

	mu     sync.Mutex
	solved map[string][]string // addresses by job
	told   []string
}

func (f *fakes) spread(addresses ...string) *spread {
	f.solved = map[string][]string{}
	return &spread{
		addresses: addresses,
		solve: func(address string, job Job) Result {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.solved[job.Name] = append(f.solved[job.Name], address)
			result := Result{Name: job.Name, Err: f.errs[job.Name]}
			if f.dies[address] {
				result.Err = &LostError{Builder: address, Err: errors.New("EOF")}
			}
			return result
		},
		again: func(address string, _ int) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.told = append(f.told, address)
		},
	}
}

// pairs are two jobs for each of some groups.
func pairs() []Job {
	var jobs []Job
	for _, group := range groups()[:20] {
		jobs = append(jobs, Job{Name: group + "-base", Group: group}, Job{Name: group + "-serverless", Group: group})
	}
	return jobs
}

func TestJobsOfAGroupGoTogetherToTheirFirstChoice(t *testing.T) {
	t.Parallel()
	var f fakes
	jobs := pairs()
	for i, r := range f.spread(three...).run(jobs) {
		want := []string{ranked(jobs[i].Group, three)[0]}
		if r.Name != jobs[i].Name || r.Err != nil || !slices.Equal(f.solved[r.Name], want) {
			t.Errorf("result %d is %+v on %q, want %s on %q", i, r, f.solved[r.Name], jobs[i].Name, want)
		}
	}
	if len(f.told) > 0 {
		t.Errorf("lost %q", f.told)
	}
}

func TestABuilderThatIsNotThereIsLeftOut(t *testing.T) {
	t.Parallel()
	var f fakes
	s := f.spread(three...)
	s.lose(three[0], errors.New("connection refused"))
	jobs := pairs()
	for i, r := range s.run(jobs) {
		want := ranked(jobs[i].Group, three)
		want = slices.DeleteFunc(want, func(a string) bool { return a == three[0] })[:1]
		if r.Err != nil || !slices.Equal(f.solved[r.Name], want) {
			t.Errorf("%s: %v on %q, want %q", r.Name, r.Err, f.solved[r.Name], want)
		}
	}
}

func TestWhatALostBuilderHadNotFinishedIsSolvedByTheNextChoice(t *testing.T) {
	t.Parallel()
	f := fakes{dies: map[string]bool{three[0]: true, three[1]: true}}
	for _, r := range f.spread(three...).run(pairs()) {
		on := f.solved[r.Name]
		if r.Err != nil || on[len(on)-1] != three[2] {
			t.Errorf("%s: %v on %q", r.Name, r.Err, on)
		}
		if slices.Sort(on); len(slices.Compact(on)) != len(f.solved[r.Name]) {
			t.Errorf("%s was solved twice by one builder: %q", r.Name, on)
		}
	}
	for _, address := range three[:2] {
		if !slices.Contains(f.told, address) {
			t.Errorf("the loss of %s was not reported: %q", address, f.told)
		}
	}
}

func TestWhatIsDoneOrFailedByItselfIsNotSolvedAgain(t *testing.T) {
	t.Parallel()
	jobs := []Job{{Name: "done", Group: "g"}, {Name: "broken", Group: "g"}, {Name: "unfinished", Group: "g"}}
	first := ranked("g", three)[0]
	f := fakes{errs: map[string]error{"broken": errors.New("no such runtime")}}
	s := f.spread(three...)
	solve := s.solve
	s.solve = func(address string, job Job) Result {
		result := solve(address, job)
		if job.Name == "unfinished" && address == first {
			result.Err = &LostError{Builder: address, Err: errors.New("EOF")}
		}
		return result
	}
	results := s.run(jobs)
	for i, want := range []int{1, 1, 2} {
		if name := jobs[i].Name; len(f.solved[name]) != want {
			t.Errorf("%s was solved by %q, want %d", name, f.solved[name], want)
		}
	}
	if results[0].Err != nil || results[1].Err != f.errs["broken"] || results[2].Err != nil {
		t.Errorf("got %+v", results)
	}
}

func TestWithoutAnyBuilderLeftEachJobSaysWhy(t *testing.T) {
	t.Parallel()
	f := fakes{dies: map[string]bool{three[0]: true, three[1]: true, three[2]: true}}
	for _, r := range f.spread(three...).run(pairs()) {
		var lost *LostError
		if !errors.As(r.Err, &lost) {
			t.Errorf("%s: %v", r.Name, r.Err)
		}
	}
	last := fakes{dies: map[string]bool{three[0]: true}}
	last.spread(three[0]).run(pairs())
	if len(last.told) > 0 {
		t.Errorf("reported that others solve the unfinished jobs of %q, and there is no other builder", last.told)
	}
}

func TestABuilderSolvesNoMoreThanItsSlotsAtOnce(t *testing.T) {
	t.Parallel()
	running, most := 0, 0
	var mu sync.Mutex
	full := make(chan struct{})
	isFull := sync.OnceFunc(func() { close(full) })
	var f fakes
	s := f.spread(three[0])
	s.solve = func(string, Job) Result {
		mu.Lock()
		running++
		most = max(most, running)
		if running == maxSolves {
			isFull()
		}
		mu.Unlock()
		<-full
		mu.Lock()
		running--
		mu.Unlock()
		return Result{}
	}
	s.run(pairs()[:maxSolves+maxSolves/2])
	if most != maxSolves {
		t.Errorf("%d at the same time, want %d", most, maxSolves)
	}
}
