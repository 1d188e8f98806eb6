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

// Pool is the builders that share the jobs of a build, often just one. The caller closes it.
type Pool struct {
	members []member // in the order of the addresses, never empty
}

// member is a builder of the list, or the reason why it is missing.
type member struct {
	address string // as given
	builder *Builder
	err     error // nil if builder is set
}

// UnreachableError says that no builder of a list answered.
type UnreachableError struct {
	Tried []Attempt // in the order of the list, never empty
}

// Error lists each builder with its reason, one per line.
func (e *UnreachableError) Error() string {
	return "none of the builders can be reached:\n" + listed(e.Tried) + "start one of them, or name others with --builder"
}

// FindPool connects to the builders at several addresses; it ignores opt.Address. It reports a
// builder that does not answer to opt.Log. If none answers, the error is an *UnreachableError. For
// one address, or none, it calls Find.
func FindPool(ctx context.Context, addresses []string, opt Options) (*Pool, error) {
	p, err := findPool(ctx, addresses, opt)
	if err != nil {
		return nil, err
	}
	for _, b := range p.Builders() {
		opt.warnOfConfig(b)
	}
	return p, nil
}

func findPool(ctx context.Context, addresses []string, opt Options) (*Pool, error) {
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
			opt.log("WARNING: cannot reach the builder %s; others build its images: %v", m.address, m.err)
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

// Builders returns the builders that answered, in the order of the addresses.
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

// Run solves all jobs and returns when all have ended, with one result per job, in their order. It
// uses one session with each builder and solves several jobs at a time. The same builder solves the
// jobs of one group whenever it is there. If a builder is lost, others solve its unfinished jobs,
// and the display says so. A job that fails for its own reason is not repeated and does not stop
// the others; only the end of ctx does. The display cannot be used again; nil shows nothing.
func (p *Pool) Run(ctx context.Context, so SessionOptions, jobs []Job, d *Display) []Result {
	d = cmp.Or(d, quiet())
	secrets := printer.FromContext(ctx)
	d.start(secrets, so.Attachables)
	defer d.stop()
	so.Attachables = recorded(secrets, so.Attachables)

	several := len(p.members) > 1
	solvers := map[string]solver{}
	s := &spread{
		atOnce: so.AtOnce,
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
			d.tell(fmt.Sprintf("WARNING: lost the builder %s; others build what it had not finished (%d of %d images)", address, unfinished, len(jobs)))
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
