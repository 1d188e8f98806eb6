package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/samforge/samforge/integration/testenv"
)

// kind is a kind of fault.
type kind struct {
	name   string
	weight int // how often it happens in comparison
	target target
	// inject makes it happen, and returns when it is over.
	inject func(s *soak, ctx context.Context, f *fault) error
}

// target is what a fault happens to.
type target int

const (
	registries target = iota // and the network to them
	builders                 // one of them, and the network to it
	clients                  // one of them
)

// kinds are the faults.
var kinds = []*kind{
	{"buildkitd is killed", 4, builders, killBuilder},
	{"the network to the builder breaks", 3, builders, func(_ *soak, _ context.Context, f *fault) error {
		f.builder.relay.Cut()
		return nil
	}},
	{"the network to the builder stalls", 2, builders, func(_ *soak, ctx context.Context, f *fault) error {
		return stall(ctx, f.builder.relay, f.length)
	}},
	{"the registry is killed", 3, registries, killRegistry},
	{"the network to the registry breaks", 4, registries, func(s *soak, _ context.Context, _ *fault) error {
		s.relay.Cut()
		return nil
	}},
	{"the network to the registry stalls", 2, registries, func(s *soak, ctx context.Context, f *fault) error {
		return stall(ctx, s.relay, f.length)
	}},
	{"a client gets SIGKILL", 3, clients, sends(syscall.SIGKILL)},
	{"a client gets SIGTERM", 3, clients, sends(syscall.SIGTERM)},
	{"a client gets SIGINT", 3, clients, sends(syscall.SIGINT)},
	{privateKilled, 1, clients, func(s *soak, _ context.Context, f *fault) error {
		for _, pid := range s.clientProcesses() {
			if name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); strings.TrimSpace(string(name)) == "buildkitd" {
				_ = syscall.Kill(pid, syscall.SIGKILL) // an error means that it has ended
			}
		}
		return nil
	}},
}

const privateKilled = "the private builders of clients are killed"

// can reports whether a fault that happens to clients can happen to its victim.
func (f *fault) can() bool {
	return f.victim != nil && (f.name != privateKilled || f.victim.private)
}

// fault is something that goes wrong on purpose.
type fault struct {
	*kind
	length  time.Duration // how long it takes, if it takes time
	builder *builder      // that it happens to, if it is one
	victim  *run          // that it happens to, if it is one
	sent    syscall.Signal

	began, ended time.Time
}

func killBuilder(_ *soak, ctx context.Context, f *fault) error {
	f.builder.Kill()
	pause(ctx, f.length/4)
	return f.builder.Start(ctx)
}

func killRegistry(s *soak, ctx context.Context, f *fault) error {
	s.registry.Kill()
	s.ecr.Kill()
	pause(ctx, f.length)
	return errors.Join(s.registry.Start(ctx), s.ecr.Start(ctx))
}

func stall(ctx context.Context, relay *testenv.Relay, d time.Duration) error {
	relay.Stall()
	pause(ctx, d)
	relay.Flow()
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

func sends(sent syscall.Signal) func(*soak, context.Context, *fault) error {
	return func(_ *soak, _ context.Context, f *fault) error {
		f.sent = sent
		_ = f.victim.cmd.Process.Signal(sent) // an error means that it has ended
		return nil
	}
}

// gap is the number of events between two faults, on average.
const gap = 80

// tick counts an event: the clock of the plan. r is the run that it comes from, or nil.
func (s *soak) tick(r *run) {
	select {
	case s.events <- r:
	default: // nothing is injected, or a fault goes on
	}
}

// inject injects faults until the first context ends. The second limits them.
func (s *soak) inject(ctx, limit context.Context) {
	for len(s.events) > 0 {
		<-s.events
	}
	for {
		f, after := s.next(s.plan)
		for after > 0 || f.target == clients && !f.can() {
			select {
			case f.victim = <-s.events:
				after--
			case <-ctx.Done():
				return
			}
		}
		s.hit(f)
		if err := f.inject(s, limit, f); err != nil && limit.Err() == nil {
			s.problem("after %q: %v", f.name, err)
		}
		s.over(f)
	}
}

// next draws a fault, and after how many events it happens.
func (s *soak) next(plan *rand.Rand) (f *fault, after int) {
	total := 0
	for _, k := range kinds {
		total += k.weight
	}
	draw := plan.IntN(total)
	f = &fault{length: time.Duration(plan.Int64N(int64(3 * time.Second))), builder: s.builders[plan.IntN(len(s.builders))]}
	for _, k := range kinds {
		if draw -= k.weight; draw < 0 {
			f.kind = k
			break
		}
	}
	if f.name == "buildkitd is killed" {
		f.builder = s.builders[0] // the other is the steady one
	}
	return f, 1 + plan.IntN(2*gap)
}

// concerns reports whether a fault may change how a run ends.
func (f *fault) concerns(r *run) bool {
	switch f.target {
	case clients:
		return r == f.victim || f.name == privateKilled && r.private
	case builders:
		return r.builder == f.builder
	}
	return true
}

// hit records that a fault begins.
func (s *soak) hit(f *fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.began = time.Now()
	s.faults = append(s.faults, f)
	for r := range s.running {
		if f.concerns(r) {
			r.hits = append(r.hits, f)
		}
	}
}

func (s *soak) over(f *fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.ended = time.Now()
}

// begin records that a run has begun, maybe in the middle of a fault.
func (s *soak) begin(r *run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running[r] = true
	for _, f := range s.faults {
		if f.ended.IsZero() && f.concerns(r) {
			r.hits = append(r.hits, f)
		}
	}
}

func (s *soak) end(r *run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, r)
	s.runs = append(s.runs, r)
}
