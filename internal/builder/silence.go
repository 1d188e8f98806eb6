package builder

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/moby/buildkit/client"
)

// maxUnanswered is how often in a row the checks of a silent solve may go unanswered before the
// solve is ended.
const maxUnanswered = 2

// silence notices that a solve has reported nothing for a while, and finds out why. A builder that
// does not answer is lost. A builder that answers is asked to query the registries that the solve
// waits for.
//
// BuildKit reports the bytes of a layer that it pulls, so a pull without any is ended, and so is a
// manifest that does not come. BuildKit reports nothing during a push. A push is ended only if its
// registry does not answer the builder's questions either, or at a limit that the user sets.
type silence struct {
	SilenceOptions
	ping func(context.Context) error                   // checks that the builder answers
	ask  func(ctx context.Context, image string) error // makes the builder query the registry of an image; any answer is nil
	lost func(error) error                             // makes the error for a lost builder
	tell func(sentence string)
	to   destinations

	mu    sync.Mutex
	steps running
	heard chan struct{}
}

// SilenceOptions say how long a solve may report nothing.
type SilenceOptions struct {
	Limit     time.Duration // time before the builder and the registries are checked; 0 is for ever
	PushLimit time.Duration // time before a push is ended though its registry answers; 0 is for ever
}

// newSilence returns the silence of a job's solve.
func (b *Builder) newSilence(so SessionOptions, job Job, tell func(string)) *silence {
	return &silence{
		SilenceOptions: so.Silence,
		ping:           b.answers,
		ask:            func(ctx context.Context, image string) error { return b.askRegistry(ctx, so.Attachables, image) },
		lost:           b.lost,
		tell:           tell,
		to:             destinationsOf(job),
		steps:          running{},
		heard:          make(chan struct{}, 1),
	}
}

// hear records what the builder reports.
func (s *silence) hear(st *client.SolveStatus) {
	s.mu.Lock()
	news := s.steps.add(st)
	s.mu.Unlock()
	if !news {
		return
	}
	select {
	case s.heard <- struct{}{}:
	default:
	}
}

// watch returns nil when ctx ends, or the reason why the solve will not end by itself.
func (s *silence) watch(ctx context.Context) error {
	if s.Limit == 0 {
		<-ctx.Done()
		return nil
	}
	since, unanswered := time.Now(), 0
	for {
		timer := time.NewTimer(s.Limit)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-s.heard:
			timer.Stop()
			since, unanswered = time.Now(), 0
			continue
		case <-timer.C:
		}
		if err := s.limited(ctx, s.ping); err != nil && ctx.Err() == nil {
			return s.lost(fmt.Errorf("it has reported nothing for %s and does not answer: %w", ago(since), err))
		}
		s.mu.Lock()
		waits := s.steps.waits(s.to)
		s.mu.Unlock()
		if s.answered(ctx, waits.images) {
			unanswered = 0
		} else {
			unanswered++
		}
		if ctx.Err() != nil {
			return nil
		}
		if len(s.heard) > 0 {
			continue
		}
		if err := s.stuck(waits, since, unanswered); err != nil {
			return err
		}
		s.tell(fmt.Sprintf("the builder answers and has reported nothing for %s; it is working on: %s", ago(since), waits.at))
	}
}

// stuck returns the reason to end a solve that reports nothing, or nil.
func (s *silence) stuck(w waits, since time.Time, unanswered int) error {
	const remedy = "try again later, or let it take longer with SAMFORGE_SILENCE"
	switch silent := time.Since(since); {
	case unanswered >= maxUnanswered:
		return fmt.Errorf("%s has sent nothing for %s, for this build or when the builder asked (%s): %s", hosts(w.images), ago(since), w.at, remedy)
	case w.pulled != "" && silent >= maxUnanswered*s.Limit:
		return fmt.Errorf("%s has sent nothing for %s of %s: %s", hosts([]string{w.pulled}), ago(since), w.pulled, remedy)
	case w.pushing && s.PushLimit > 0 && silent >= s.PushLimit:
		return fmt.Errorf("%s has not accepted everything in %s, and SAMFORGE_PUSH_LIMIT allows %s (%s)", hosts(w.images), ago(since), s.PushLimit, w.at)
	}
	return nil
}

// answered reports whether any registry of these images answers the builder. It returns true if
// there are no images.
func (s *silence) answered(ctx context.Context, images []string) bool {
	if len(images) == 0 {
		return true
	}
	var answers atomic.Bool
	var asking sync.WaitGroup
	for _, image := range images {
		asking.Go(func() {
			if s.limited(ctx, func(ctx context.Context) error { return s.ask(ctx, image) }) == nil {
				answers.Store(true)
			}
		})
	}
	asking.Wait()
	return answers.Load()
}

// limited calls f with a context that ends after the limit.
func (s *silence) limited(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.Limit)
	defer cancel()
	return f(ctx)
}

// ago returns how long nothing has been reported, for a message.
func ago(since time.Time) time.Duration { return time.Since(since).Round(time.Second) }

// hosts returns the registries of images, for a message.
func hosts(images []string) string {
	var names []string
	for _, image := range images {
		names = append(names, hostOf(image))
	}
	return strings.Join(names, " and ")
}
