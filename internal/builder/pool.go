package builder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/moby/buildkit/session"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/internal/printer"
)

// Pool is the builders that share the jobs of a build; often it is one. Close it.
type Pool struct {
	members []member // in the order given, never empty
}

// member is a builder of the list, or why it is not there.
type member struct {
	address string // as given
	builder *Builder
	err     error // nil when builder is not
}

// UnreachableError says that no builder of a list answered.
type UnreachableError struct {
	Tried []Attempt // in the order of the list, never empty
}

// Error lists each builder with its reason, one a line.
func (e *UnreachableError) Error() string {
	return "none of the builders can be reached:\n" + listed(e.Tried) + "start one of them, or name others with --builder"
}

// FindPool connects to the builders at several addresses, in place of opt.Address. One that does
// not answer is told to opt.Log; when none does, the error is an *UnreachableError. One address, or
// none, is left to Find.
func FindPool(ctx context.Context, addresses []string, opt Options) (*Pool, error) {
	if len(addresses) > 1 {
		return findAll(ctx, addresses, opt)
	}
	if len(addresses) == 1 {
		opt.Address = addresses[0]
	}
	b, err := Find(ctx, opt)
	if err != nil {
		return nil, err
	}
	return poolOf(b), nil
}

// poolOf returns the pool of one builder.
func poolOf(b *Builder) *Pool { return &Pool{[]member{{address: b.Address, builder: b}}} }

func findAll(ctx context.Context, addresses []string, opt Options) (*Pool, error) {
	if err := CheckAddresses(addresses); err != nil {
		return nil, err
	}
	p := &Pool{members: make([]member, len(addresses))}
	var g sync.WaitGroup
	for i, address := range addresses {
		g.Go(func() {
			b, err := named(ctx, address, opt)
			p.members[i] = member{address, b, err}
		})
	}
	g.Wait()
	if ctx.Err() != nil {
		_ = p.Close()
		return nil, fmt.Errorf("connect to the builders: %w", context.Cause(ctx))
	}
	if len(p.Builders()) == 0 {
		return nil, p.unreachable()
	}
	for _, m := range p.members {
		if m.err != nil {
			opt.log("WARNING: cannot reach the builder %s, what it would build is built on others: %v", m.address, m.err)
		}
	}
	return p, nil
}

func (p *Pool) unreachable() error {
	e := &UnreachableError{}
	for _, m := range p.members {
		e.Tried = append(e.Tried, Attempt{What: m.address, Err: m.err})
	}
	return e
}

// Builders returns the builders that answered, in the order given.
func (p *Pool) Builders() []*Builder {
	var builders []*Builder
	for _, m := range p.members {
		if m.builder != nil {
			builders = append(builders, m.builder)
		}
	}
	return builders
}

// Close closes every builder, see Builder.Close.
func (p *Pool) Close() error {
	var errs []error
	for _, b := range p.Builders() {
		errs = append(errs, b.Close())
	}
	return errors.Join(errs...)
}

// Run solves all jobs, in one session with each builder and several at a time, and returns when all
// of them have ended: one result a job, in their order. Jobs of one group are solved by the same
// builder, whenever it is there. When a builder is lost, others solve what it had not finished; the
// display says so. A job that fails by itself is not repeated, and does not stop the others; ctx
// does. The display is used up; nil shows nothing.
func (p *Pool) Run(ctx context.Context, so SessionOptions, jobs []Job, d *Display) []Result {
	d = cmp.Or(d, quiet())
	secrets := printer.FromContext(ctx)
	d.start(secrets, so.Attachables)
	defer d.stop()
	so.Attachables = recorded(secrets, so.Attachables)

	several := len(p.members) > 1
	solvers := map[string]solver{}
	s := &spread{
		solve: func(address string, job Job) Result {
			out := d.writer("")
			if len(jobs) > 1 {
				out.prefix = job.Name
			}
			if several {
				out.builder = address
			}
			return solvers[address](job, out)
		},
		again: func(address string, unfinished int) {
			d.tell(fmt.Sprintf("WARNING: lost the builder %s, what it had not finished is built on others (%d of %d images)", address, unfinished, len(jobs)))
		},
	}
	for _, m := range p.members {
		s.addresses = append(s.addresses, m.address)
		if m.builder == nil {
			s.lose(m.address, m.err)
			continue
		}
		solve, closeSession := m.builder.open(ctx, so)
		defer closeSession()
		solvers[m.address] = solve
	}
	return s.run(jobs)
}

// Digests asks the first builder that answers, see [Builder.Digests].
func (p *Pool) Digests(ctx context.Context, attachables []session.Attachable, refs map[string]ocispecs.Platform) (map[string]string, error) {
	var errs []error
	for _, b := range p.Builders() {
		found, err := b.Digests(ctx, attachables, refs)
		var unreachable *UnansweredError
		if !errors.As(err, &unreachable) {
			return found, err
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}
