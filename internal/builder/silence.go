package builder

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/moby/buildkit/client"
	digest "github.com/opencontainers/go-digest"
)

// DefaultSilence is how long a builder may report nothing before samforge asks whether it is there.
const DefaultSilence = time.Minute

// silence notices that a solve reports nothing for a while. A push reports no bytes, so silence alone is no failure: the
// builder is asked, and the steps that it is at are told.
type silence struct {
	limit time.Duration
	ping  func(context.Context) error // asks the builder whether it is there
	tell  func(sentence string)

	mu    sync.Mutex
	steps map[digest.Digest]string // that have begun and not ended
	heard chan struct{}
}

func newSilence(limit time.Duration, ping func(context.Context) error, tell func(string)) *silence {
	return &silence{limit: limit, ping: ping, tell: tell, steps: map[digest.Digest]string{}, heard: make(chan struct{}, 1)}
}

// hear notes what the builder reports.
func (s *silence) hear(st *client.SolveStatus) {
	s.mu.Lock()
	for _, v := range st.Vertexes {
		if v.Started != nil && v.Completed == nil {
			s.steps[v.Digest] = v.Name
		} else {
			delete(s.steps, v.Digest)
		}
	}
	s.mu.Unlock()
	select {
	case s.heard <- struct{}{}:
	default:
	}
}

// watch returns nil when ctx ends, or the reason why the builder is taken for lost: it reports nothing and does not
// answer either. A limit of zero waits for ever.
func (s *silence) watch(ctx context.Context) error {
	if s.limit == 0 {
		<-ctx.Done()
		return nil
	}
	quiet := time.Duration(0)
	for {
		timer := time.NewTimer(s.limit)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-s.heard:
			timer.Stop()
			quiet = 0
		case <-timer.C:
			quiet += s.limit
			ask, cancel := context.WithTimeout(ctx, s.limit)
			err := s.ping(ask)
			cancel()
			if ctx.Err() != nil {
				return nil
			}
			if err != nil {
				return fmt.Errorf("it has reported nothing for %s and does not answer: %w", quiet+s.limit, err)
			}
			s.tell(fmt.Sprintf("the builder is there and has reported nothing for %s; it is at: %s", quiet, s.at()))
		}
	}
}

// at names the steps that have not ended.
func (s *silence) at() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, name := range s.steps {
		names = append(names, name)
	}
	if len(names) == 0 {
		return "no step"
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), "; ")
}
