package main

import (
	"context"
	"time"
)

// fault is something that goes wrong on purpose.
type fault struct {
	kind         *kind
	builder      *builder // that it happens to, if it is one
	victim       *run     // that it happens to, if it is one
	began, ended time.Time
}

// kind is a kind of fault.
type kind struct {
	name   string
	weight int
	target target
	// inject makes it happen, and returns when it is over.
	inject func(s *soak, ctx context.Context, f *fault) error
}

// target is what a fault happens to.
type target int

const (
	toRegistry target = iota
	toBuilder
	toClient
)

func kinds() []*kind {
	return []*kind{
		{"buildkitd is killed", 1, toBuilder, func(_ *soak, ctx context.Context, f *fault) error {
			f.builder.Kill()
			return f.builder.Start(ctx)
		}},
	}
}

// gap is the number of events between two faults, on average.
const gap = 150

// tick counts an event: the time of the plan. r is the run that it comes from, or nil.
func (s *soak) tick(r *run) {
	select {
	case s.events <- r:
	default: // a fault goes on
	}
}

// inject injects faults until the first context ends. The second limits them.
func (s *soak) inject(ctx, limit context.Context) {
	for len(s.events) > 0 {
		<-s.events
	}
	for {
		after, f := 1+s.plan.IntN(2*gap), s.next()
		var last *run
		for range after {
			select {
			case last = <-s.events:
			case <-ctx.Done():
				return
			}
		}
		if f.kind.target == toClient && last == nil {
			continue
		}
		f.victim = last
		s.hit(f)
		if err := f.kind.inject(s, limit, f); err != nil && limit.Err() == nil {
			s.problem("after %q: %v", f.kind.name, err)
		}
		s.over(f)
	}
}

// next draws a fault.
func (s *soak) next() *fault {
	all, total := kinds(), 0
	for _, k := range all {
		total += k.weight
	}
	draw := s.plan.IntN(total)
	for _, k := range all {
		if draw -= k.weight; draw < 0 {
			return &fault{kind: k, builder: s.builders[0]}
		}
	}
	return nil
}

// concerns reports whether a fault may change how a run ends.
func (f *fault) concerns(r *run) bool {
	switch f.kind.target {
	case toClient:
		return r == f.victim
	case toBuilder:
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
