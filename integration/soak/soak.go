package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/samforge/samforge/integration/testenv"
	"github.com/samforge/samforge/internal/registry/awsfake"
)

// soak is the test bed and what happened in it.
type soak struct {
	options
	dir      string            // of clients
	tools    string            // the folder of buildkitd, for clients that start one
	registry *testenv.Registry // that all but Amazon's images are in
	relay    *testenv.Relay    // that clients and builders reach the registry through
	amazon   *testenv.AWS
	ecr      *testenv.Registry // behind amazon
	files    *testenv.Files
	npm      *testenv.NPMRegistry
	builders []*builder
	tasks    []*task
	order    *rand.Rand // of the runs
	plan     *rand.Rand // of the faults
	events   chan *run  // see tick
	round    int

	mu       sync.Mutex
	number   int    // of the last run
	runs     []*run // that have ended
	running  map[*run]bool
	faults   []*fault
	problems []string
	checks   checks
}

func newSoak(o options) *soak {
	return &soak{
		options: o, running: map[*run]bool{}, events: make(chan *run, 1024),
		order: rand.New(rand.NewPCG(o.seed, 1)), plan: rand.New(rand.NewPCG(o.seed, 2)),
	}
}

// builder is a buildkitd behind a relay.
type builder struct {
	*testenv.Buildkitd
	name  string
	relay *testenv.Relay
	// steady says that it is never killed, which shows what it keeps in memory.
	steady bool
	// known is the number of things that it has left as BuildKit is known to.
	known int
}

// start starts the servers and publishes what the tasks need.
func (s *soak) start(ctx context.Context) (err error) {
	if s.dir, err = os.MkdirTemp("", "samforge-soak-"); err != nil {
		return err
	}
	buildkitd, err := testenv.Tool("buildkitd")
	if err != nil {
		return err
	}
	s.tools = filepath.Dir(buildkitd)
	for _, name := range []string{"tmp", "home", "run", "out", "work"} {
		if err := os.Mkdir(filepath.Join(s.dir, name), 0o700); err != nil {
			return err
		}
	}
	if err := s.startServers(ctx); err != nil {
		return err
	}
	s.say("making stand-ins for the images")
	if err := errors.Join(s.writeFiles(), s.publish(ctx)); err != nil {
		return err
	}
	proxied := testenv.BuildkitdOptions{
		Debug: true, Proxy: s.amazon.ProxyURL, Authorities: map[string]string{testenv.AWSHost: s.amazon.CAFile},
		Mirrors: map[string]string{"public.ecr.aws": s.relay.Addr + "/ecr", "docker.io": s.relay.Addr + "/hub"},
	}
	for _, b := range []*builder{{name: "rootless"}, {name: "steady", steady: true}} {
		s.builders = append(s.builders, b)
		proxied.Rootless = !b.steady
		if b.Buildkitd, err = testenv.StartBuildkitd(ctx, proxied); err != nil {
			return err
		}
		if b.relay, err = testenv.StartRelay(b.Addr); err != nil {
			return err
		}
	}
	s.tasks = slices.DeleteFunc(s.allTasks(), func(t *task) bool { return s.quick && t.large })
	return s.publishFunction(ctx)
}

// startServers starts everything but the builders.
func (s *soak) startServers(ctx context.Context) (err error) {
	if s.registry, err = testenv.StartRegistry(ctx, testenv.RegistryOptions{}); err != nil {
		return err
	}
	if s.relay, err = testenv.StartRelay(s.registry.Addr); err != nil {
		return err
	}
	s.ecr, err = testenv.StartRegistry(ctx, testenv.RegistryOptions{BasicAuth: true, Users: map[string]testenv.Account{"AWS": {Password: awsfake.Password, Push: true}}})
	if err != nil {
		return err
	}
	for _, registry := range []*testenv.Registry{s.registry, s.ecr} {
		registry.Intercept(func(http.ResponseWriter, *http.Request) bool {
			s.tick(nil)
			return false
		})
	}
	if s.amazon, err = testenv.StartAWS(); err != nil {
		return err
	}
	s.amazon.Serve(s.ecr)
	if s.files, err = testenv.StartFiles(ctx); err != nil {
		return err
	}
	s.npm, err = testenv.StartNPMRegistry(ctx)
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
	if s.npm != nil {
		errs = append(errs, s.npm.Close())
	}
	if s.files != nil {
		errs = append(errs, s.files.Close())
	}
	if s.amazon != nil {
		errs = append(errs, s.amazon.Close())
	}
	if s.relay != nil {
		errs = append(errs, s.relay.Close())
	}
	for _, registry := range []*testenv.Registry{s.registry, s.ecr} {
		if registry != nil {
			errs = append(errs, registry.Close())
		}
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

// references runs each task without faults, on each builder. All later runs must give the same.
func (s *soak) references(ctx context.Context) error {
	began := time.Now()
	runs := make([][]*run, len(s.builders))
	var g sync.WaitGroup
	for i, b := range s.builders {
		g.Go(func() {
			for _, t := range s.tasks {
				r := s.newRun(t, b)
				s.do(ctx, r)
				runs[i] = append(runs[i], r)
			}
		})
	}
	g.Wait()
	for i, t := range s.tasks {
		if err := runs[0][i].failure(); err != nil {
			return err
		}
		t.prints = runs[0][i].printed()
		for _, of := range runs {
			s.judge(of[i])
		}
	}
	s.say("without faults, all tasks took %s", time.Since(began).Round(time.Second))
	return s.check(ctx)
}

// roundsOfStage is the number of rounds between two rests.
const roundsOfStage = 4

func (s *soak) goesOn(end time.Time) bool {
	return (s.rounds == 0 || s.round < s.rounds) && time.Now().Before(end)
}

// stage does a number of rounds with faults.
func (s *soak) stage(ctx context.Context, end time.Time) {
	injecting, stop := context.WithCancel(ctx)
	injected := make(chan struct{})
	go func() {
		defer close(injected)
		s.inject(injecting, ctx)
	}()
	s.all(ctx, func(yield func(*run) bool) {
		for n := 0; n < roundsOfStage && ctx.Err() == nil && s.goesOn(end); n++ {
			s.round++
			for _, i := range s.order.Perm(len(s.tasks)) {
				if !yield(s.drawnRun(s.tasks[i])) {
					return
				}
			}
		}
	})
	stop()
	<-injected
}

// all does runs, several at a time, and judges them.
func (s *soak) all(ctx context.Context, runs iter.Seq[*run]) {
	queue := make(chan *run)
	var g sync.WaitGroup
	for range s.atOnce {
		g.Go(func() {
			for r := range queue {
				s.do(ctx, r)
				s.judge(r)
			}
		})
	}
	for r := range runs {
		queue <- r
	}
	close(queue)
	g.Wait()
}

// drawnRun draws how a task is run: a third on the steady builder, a quarter beside the relay of the
// builder, half without its cache, and half into a repository that runs of the stage share.
func (s *soak) drawnRun(t *task) *run {
	r := s.newRun(t, s.builders[0])
	if s.order.IntN(3) == 0 {
		r = s.newRun(t, s.builders[1])
	}
	if s.order.IntN(4) == 0 {
		r.address = r.builder.Addr
	}
	r.fresh = s.order.IntN(2) == 0
	if s.order.IntN(2) == 0 {
		r.repository = fmt.Sprintf("%s/soak/shared-%d", s.relay.Addr, s.round/roundsOfStage)
	}
	return r
}

// rest runs each task once without faults, and checks what is there when nothing runs.
func (s *soak) rest(ctx context.Context) error {
	before := s.leftInFolders()
	s.all(ctx, func(yield func(*run) bool) {
		for i, t := range s.tasks {
			if !yield(s.newRun(t, s.builders[i%len(s.builders)])) {
				return
			}
		}
	})
	s.checkFolders(before)
	return s.check(ctx)
}
