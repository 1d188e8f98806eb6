package builder

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
	"sync"
)

// maxSolves is how many solves run on one builder at the same time. It does not limit the work,
// which buildkitd schedules. It is high enough that images whose node stage is still being
// installed do not keep others from being pulled and pushed.
const maxSolves = 16

// ranked returns the addresses in the order in which they are tried for a group of jobs, by
// rendezvous hashing (https://en.wikipedia.org/wiki/Rendezvous_hashing). A group keeps its builder,
// and so its cache, whatever the order of the list. Adding or removing a builder moves only the
// groups that it gets or had.
func ranked(group string, addresses []string) []string {
	weight := func(address string) uint64 {
		sum := sha256.Sum256([]byte(group + "\x00" + address))
		return binary.BigEndian.Uint64(sum[:])
	}
	return slices.SortedFunc(slices.Values(addresses), func(a, b string) int {
		return cmp.Or(cmp.Compare(weight(b), weight(a)), cmp.Compare(a, b))
	})
}

// spread solves each job on its first-choice builder. If that builder is lost, it moves the job to
// the next choice.
type spread struct {
	addresses []string // all builders, including lost ones
	solve     func(address string, job Job) Result
	again     func(address string, unfinished int) // called before the unfinished jobs of a lost builder move to others
	atOnce    bool                                 // maxSolves does not count

	jobs    []Job
	results []Result                 // results by job index
	slots   map[string]chan struct{} // by address, one for each running solve

	mu   sync.Mutex
	lost map[string]error // by address: why it gets no more jobs
}

// run returns one result per job, in their order.
func (s *spread) run(jobs []Job) []Result {
	s.jobs, s.results, s.slots = jobs, make([]Result, len(jobs)), map[string]chan struct{}{}
	all := make([]int, len(jobs))
	for i := range jobs {
		all[i] = i
	}
	solves := maxSolves
	if s.atOnce {
		solves = max(solves, len(jobs))
	}
	for _, address := range s.addresses {
		s.slots[address] = make(chan struct{}, solves)
	}
	s.solveAll(all)
	return s.results
}

// solveAll solves the jobs with these indexes on the builders that are left. If none is left, their
// results stay as they are.
func (s *spread) solveAll(indexes []int) {
	shares := map[string][]int{}
	for _, i := range indexes {
		if address, ok := s.choice(s.jobs[i]); ok {
			shares[address] = append(shares[address], i)
		}
	}
	var g sync.WaitGroup
	for address, share := range shares {
		g.Go(func() {
			unfinished := s.solveOn(address, share)
			if len(unfinished) == 0 {
				return
			}
			if s.left() {
				s.again(address, len(unfinished))
			}
			s.solveAll(unfinished)
		})
	}
	g.Wait()
}

// solveOn solves the jobs with these indexes on one builder, started in their order. It returns the
// jobs that did not finish because the builder was lost.
func (s *spread) solveOn(address string, indexes []int) (unfinished []int) {
	var g sync.WaitGroup
	for _, i := range indexes {
		s.slots[address] <- struct{}{}
		g.Go(func() {
			defer func() { <-s.slots[address] }()
			s.results[i] = s.attempt(address, s.jobs[i])
		})
	}
	g.Wait()
	for _, i := range indexes {
		if isLost(s.results[i].Err) {
			unfinished = append(unfinished, i)
		}
	}
	return unfinished
}

// attempt solves a job on a builder, unless the builder is known to be lost.
func (s *spread) attempt(address string, job Job) Result {
	if err := s.reason(address); err != nil {
		return Result{Name: job.Name, Err: err}
	}
	result := s.solve(address, job)
	if isLost(result.Err) {
		s.lose(address, result.Err)
	}
	return result
}

// choice returns the first choice for a job among the builders that are left.
func (s *spread) choice(job Job) (address string, ok bool) {
	for _, address := range ranked(cmp.Or(job.Group, job.Name), s.addresses) {
		if s.reason(address) == nil {
			return address, true
		}
	}
	return "", false
}

// lose removes a builder; the first reason counts.
func (s *spread) lose(address string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost == nil {
		s.lost = map[string]error{}
	}
	s.lost[address] = cmp.Or(s.lost[address], err)
}

// reason returns why a builder was lost, or nil if it was not.
func (s *spread) reason(address string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lost[address]
}

// left reports whether any builder is left.
func (s *spread) left() bool {
	return slices.ContainsFunc(s.addresses, func(address string) bool { return s.reason(address) == nil })
}

// isLost reports whether a job failed because its builder was lost.
func isLost(err error) bool {
	var lost *LostError
	var session *SessionError
	return errors.As(err, &lost) || errors.As(err, &session)
}
