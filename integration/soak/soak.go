package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/samforge/samforge/integration/testenv"
)

// soak is the test bed and what happened in it.
type soak struct {
	options
	dir      string // of clients
	registry *testenv.Registry
	relay    *testenv.Relay // that clients and builders reach the registry through
	files    *testenv.Files
	builders []*builder
	tasks    []*task
	order    *rand.Rand // of the runs
	plan     *rand.Rand // of the faults
	events   chan *run  // see tick
	round    int

	mu       sync.Mutex
	runs     []*run // that have ended
	running  map[*run]bool
	faults   []*fault
	problems []string
	pushed   []pushed
	memory   []memory
	peaks    []int64
	number   int // of the last run
}

func newSoak(o options) *soak {
	return &soak{
		options: o, running: map[*run]bool{}, events: make(chan *run, 1024),
		order: rand.New(rand.NewPCG(o.seed, 1)), plan: rand.New(rand.NewPCG(o.seed, 2)),
	}
}

// builder is a buildkitd behind a relay.
type builder struct {
	name string
	*testenv.Buildkitd
	relay *testenv.Relay
	rest  rested // as it is after the references
}

// start starts the servers and publishes what the tasks need.
func (s *soak) start(ctx context.Context) (err error) {
	if s.dir, err = os.MkdirTemp("", "samforge-soak-"); err != nil {
		return err
	}
	for _, name := range []string{"tmp", "home", "run", "work"} {
		if err := os.Mkdir(filepath.Join(s.dir, name), 0o700); err != nil {
			return err
		}
	}
	if s.registry, err = testenv.StartRegistry(ctx, testenv.RegistryOptions{}); err != nil {
		return err
	}
	s.registry.Intercept(func(http.ResponseWriter, *http.Request) bool {
		s.tick(nil)
		return false
	})
	if s.relay, err = testenv.StartRelay(s.registry.Addr); err != nil {
		return err
	}
	if s.files, err = testenv.StartFiles(ctx); err != nil {
		return err
	}
	if err := s.startBuilder(ctx, "rootless", testenv.BuildkitdOptions{Rootless: true}); err != nil {
		return err
	}
	s.say("making stand-ins for the images")
	return s.prepare(ctx)
}

func (s *soak) startBuilder(ctx context.Context, name string, options testenv.BuildkitdOptions) (err error) {
	b := &builder{name: name}
	s.builders = append(s.builders, b)
	options.Debug = true
	options.Mirrors = map[string]string{"public.ecr.aws": s.relay.Addr + "/ecr", "docker.io": s.relay.Addr + "/hub"}
	if b.Buildkitd, err = testenv.StartBuildkitd(ctx, options); err != nil {
		return err
	}
	b.relay, err = testenv.StartRelay(b.Addr)
	return err
}

func (s *soak) close() error {
	var errs []error
	for _, b := range s.builders {
		if b.relay != nil {
			errs = append(errs, b.relay.Close())
		}
		if b.Buildkitd != nil {
			errs = append(errs, b.Close())
		}
	}
	if s.files != nil {
		errs = append(errs, s.files.Close())
	}
	if s.relay != nil {
		errs = append(errs, s.relay.Close())
	}
	if s.registry != nil {
		errs = append(errs, s.registry.Close())
	}
	if s.dir != "" {
		errs = append(errs, os.RemoveAll(s.dir))
	}
	return errors.Join(errs...)
}

// say prints progress.
func (s *soak) say(format string, args ...any) {
	fmt.Fprintf(s.progress, "soak: "+format+"\n", args...)
}

// problem records that something does not hold.
func (s *soak) problem(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := fmt.Sprintf(format, args...)
	s.problems = append(s.problems, text)
	s.say("PROBLEM: %s", text)
}

// references runs each task without faults. All later runs must give the same.
func (s *soak) references(ctx context.Context) error {
	for _, t := range s.tasks {
		r := s.run(ctx, t, s.builders[0], nil)
		if r.code != t.code {
			return fmt.Errorf("%s without faults ended with %d:\n%s", t.name, r.code, r.stderr.String())
		}
		t.printed = r.printed()
		s.say("%s: %q in %s", t.name, t.printed, r.ended.Sub(r.began).Round(time.Millisecond))
	}
	return s.rest(ctx)
}

// roundsOfStage is the number of rounds between two rests.
const roundsOfStage = 5

func (s *soak) goesOn(end time.Time) bool {
	return (s.rounds == 0 || s.round < s.rounds) && time.Now().Before(end)
}

// stage does a number of rounds with faults.
func (s *soak) stage(ctx context.Context, end time.Time) {
	queue := make(chan *task)
	var g sync.WaitGroup
	for range s.atOnce {
		g.Go(func() {
			for t := range queue {
				r := s.run(ctx, t, s.builders[0], nil)
				s.judge(r)
			}
		})
	}
	injecting, stop := context.WithCancel(ctx)
	injected := make(chan struct{})
	go func() {
		defer close(injected)
		s.inject(injecting, ctx)
	}()
	for range roundsOfStage {
		if ctx.Err() != nil || !s.goesOn(end) {
			break
		}
		s.round++
		for _, i := range s.order.Perm(len(s.tasks)) {
			queue <- s.tasks[i]
		}
	}
	close(queue)
	g.Wait()
	stop()
	<-injected
}

// rest runs each task once without faults, and checks what is there when nothing runs.
func (s *soak) rest(ctx context.Context) error {
	for _, t := range s.tasks {
		r := s.run(ctx, t, s.builders[0], nil)
		s.judge(r)
	}
	s.checkPushed(ctx)
	s.checkLeft(ctx)
	return s.measure(ctx)
}
