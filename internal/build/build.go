package build

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/moby/buildkit/cmd/buildctl/build"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/sshforward/sshprovider"
	"github.com/moby/buildkit/util/suggest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/tonistiigi/go-csvvalue"

	"github.com/samforge/samforge/internal/builder"
	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/internal/registry"
	"github.com/samforge/samforge/internal/userfile"
	"github.com/samforge/samforge/llbgen"
)

// Built is an image that this build made, or that was already in its registry.
type Built struct {
	Target project.Target
	// Refs are the references of the image and of its members, each with its digest. An image
	// without a reference is listed under the name of its target.
	Refs []Ref
	// Skipped is true if the image was already in its registry.
	Skipped bool
	// Metadata is what the exporter reports about the image, as docker buildx writes it to
	// --metadata-file.
	Metadata map[string]any
}

// Ref is a reference with the digest that it points at.
type Ref struct{ Name, Digest string }

// String returns NAME@DIGEST.
func (r Ref) String() string { return r.Name + "@" + r.Digest }

// Build builds all of the project's targets at once, prints the images, and returns them: first
// those that were skipped, then those that were built. Mistakes in the input are a
// [*project.InputError] and are found before anything is built. A [*FailedError] says which images
// failed while others were made.
func Build(ctx context.Context, p *project.Project, opt Options) ([]Built, error) {
	if p.TagsSayInputs() {
		if err := p.FindInputs(ctx, registry.NewResolver(ctx, opt.Registries), opt.Settings, opt.visible()...); err != nil {
			return nil, err
		}
	}
	r, targets, err := prepare(p, opt)
	if err != nil {
		return nil, project.BadInput(err)
	}
	unchanged := r.unchanged(ctx, targets)
	wanted := missing(targets, unchanged)
	if len(wanted) == 0 {
		report := r.newReport(len(targets) > 1)
		if _, err := report.skipExisting(ctx, targets, unchanged); err != nil {
			return nil, err
		}
		err := report.finish(ctx, nil, nil)
		return report.built, err
	}
	if err := opt.prepare(ctx, wanted); err != nil {
		return nil, err
	}
	refused := func() error { return nil }
	if !opt.SkipExisting { // else the builder has to say first what is missing
		refused = r.checkPush(ctx, wanted)
	}
	pool, err := builder.FindPool(ctx, opt.Builders, opt.Builder)
	if err != nil {
		return nil, errors.Join(err, refused())
	}
	defer pool.Close()
	if err := refused(); err != nil {
		return nil, err
	}
	return r.run(ctx, pool, unchanged)
}

// request is a build that has passed all checks that need no builder.
type request struct {
	opt     Options
	project *project.Project
	served  *served
	session []session.Attachable
	display *builder.Display
	guard   *guard

	together *together // nil if each image is exported as soon as it is built
	stop     func()    // ends all builds
}

// prepare checks all that can be checked without a builder, and returns the targets too. They are
// made again once the builder is known: its own platform hardly ever matters.
func prepare(p *project.Project, opt Options) (*request, []project.Target, error) {
	if err := p.Violation(); err != nil {
		return nil, nil, err
	}
	if err := p.CheckDockerfiles(); err != nil {
		return nil, nil, err
	}
	targets, err := p.Targets(ocispecs.Platform{OS: "linux", Architecture: "amd64"})
	if err != nil {
		return nil, nil, err
	}
	if err := check(opt, p, targets); err != nil {
		return nil, nil, err
	}
	if opt.Settings, err = opt.With(targets...); err != nil {
		return nil, nil, err
	}
	r := &request{opt: opt, project: p, guard: &guard{client: opt.Registries, warnings: map[string]bool{}}}
	if r.served, err = serve(p); err != nil {
		return nil, nil, err
	}
	if r.session, err = sessionAttachables(opt); err != nil {
		return nil, nil, err
	}
	if opt.Step != nil {
		maps.Copy(r.served.mounts, opt.Step.Sources())
	}
	r.warn()
	if r.display, err = builder.NewDisplay(opt.Stderr, opt.Progress); err != nil {
		return nil, nil, err
	}
	// With --load the builder may be the engine itself, which needs no docker command.
	_, err = r.jobs(targets, opt.Load)
	return r, targets, err
}

// run builds the targets but those whose images are unchanged: it has their digests by reference.
func (r *request) run(ctx context.Context, pool *builder.Pool, unchanged map[string]string) ([]Built, error) {
	fallback, err := builderPlatform(pool.Builders(), r.project.FollowsBuilder())
	if err != nil {
		return nil, project.BadInput(err)
	}
	targets, err := r.project.Targets(fallback)
	if err != nil {
		return nil, err
	}
	inEngine := pool.Builders()[0].Kind == builder.Docker // the engine is never one of several builders
	report := r.newReport(len(targets) > 1)
	report.inEngine = inEngine
	if targets, err = report.skipExisting(ctx, targets, unchanged); err != nil {
		return nil, err
	}
	if r.opt.SkipExisting {
		existing, err := r.existing(ctx, pool, targets)
		if err != nil {
			return nil, err
		}
		if targets, err = report.skipExisting(ctx, targets, existing); err != nil {
			return nil, err
		}
		if err := r.checkPush(ctx, targets)(); err != nil {
			return nil, err
		}
	}
	if r.opt.Together {
		r.together = newTogether(len(targets))
	}
	building, stop := context.WithCancel(ctx)
	defer stop()
	r.stop = stop
	jobs, err := r.jobs(targets, inEngine)
	if err != nil {
		return nil, project.BadInput(err)
	}
	if r.opt.Load && !inEngine {
		if err := checkEngine(ctx); err != nil {
			return nil, err
		}
	}
	results := pool.Run(building, builder.SessionOptions{
		Attachables: r.session,
		LocalMounts: r.served.mounts,
		OCIStores:   r.served.stores,
		Contexts:    r.served.contexts,
		Silence:     r.opt.Silence,
		AtOnce:      r.opt.Together || r.opt.Serve,
		Tries:       r.opt.Tries,
	}, jobs, r.display)
	err = report.finish(ctx, targets, results)
	var failed *FailedError
	if r.opt.Serve && errors.As(err, &failed) && failed.Remaining() != nil {
		err = failed.Remaining()
	}
	return report.built, err
}

// check refuses options that contradict each other.
func check(opt Options, p *project.Project, targets []project.Target) error {
	switch {
	case opt.IIDFile != "" && len(targets) > 1:
		return fmt.Errorf("--iidfile holds one image ID, and %d targets are selected: choose one with --target, or use --metadata-file", len(targets))
	case opt.Summary == SummaryJSON && toStdout(opt, targets):
		return errors.New("--output and --summary json would both write to standard output: name a file with dest=FILE")
	case (opt.Push || opt.SkipExisting) && !p.HasRepo() && p.IsTemplate():
		return errors.New("there is no repository to push to: name it with --repo, or one function's image with --target and --tag; samforge package takes --image-repository")
	case (opt.Push || opt.SkipExisting) && !p.HasRepo():
		return errors.New("there is no repository to push to: set repo in the build file, --repo or --tag")
	}
	if err := checkAttests(opt, targets); err != nil {
		return err
	}
	if opt.Summary != "" && !slices.Contains(SummaryForms(), opt.Summary) {
		return fmt.Errorf("--summary %s: expected %s", opt.Summary, strings.Join(SummaryForms(), ", "))
	}
	for _, refuse := range []error{opt.CheckCaches(targets), checkNoCache(opt, targets), checkFiles(opt), checkBuilders(opt)} {
		if refuse != nil {
			return refuse
		}
	}
	return nil
}

// toStdout reports whether an output goes to standard output.
func toStdout(opt Options, targets []project.Target) bool {
	return once(opt.Outputs) || slices.ContainsFunc(targets, func(t project.Target) bool { return once(t.Outputs) })
}

// checkAttests refuses to push the image of a function with attestations.
func checkAttests(opt Options, targets []project.Target) error {
	if !opt.Push || !slices.ContainsFunc(targets, func(t project.Target) bool { return t.Lambda != nil }) {
		return nil
	}
	for _, attest := range opt.Attests {
		if kind, _, err := parseAttest(attest); err != nil || kind != "" {
			return cmp.Or(err, errors.New("an attestation makes an index of the image, which Lambda refuses: leave --sbom, --provenance and --attest out"))
		}
	}
	return nil
}

// checkNoCache refuses a name in --no-cache-filter that no target has.
func checkNoCache(opt Options, targets []project.Target) error {
	var names []string
	for _, t := range targets {
		names = append(names, t.Name)
	}
	for _, name := range opt.NoCacheFilter {
		if slices.ContainsFunc(targets, func(t project.Target) bool { return t.SelectedBy(name) }) {
			continue
		}
		hint := ""
		if near, ok := suggest.Search(name, names, false); ok {
			hint = fmt.Sprintf(": did you mean %q?", near)
		}
		return fmt.Errorf("--no-cache-filter %s: no target that is built has this name%s (targets: %s)", name, hint, strings.Join(names, ", "))
	}
	return nil
}

// warn prints the warnings that neither a progress display nor the summary shows: those about a
// template, which has many targets; with -q only those about arguments, which the user typed.
func (r *request) warn() {
	quiet := r.opt.Progress == "quiet"
	for _, d := range r.project.Warnings() {
		if r.project.IsTemplate() && (!quiet || d.Rule == llbgen.RuleUnusedBuildArg) {
			text := "WARNING: " + d.Summary()
			if d.Rule != "" {
				text += " (" + d.Rule + ")" // for whoever wants to skip it
			}
			fmt.Fprintln(r.opt.Stderr, text)
		}
	}
}

// sessionAttachables returns what the builder may request from the client: credentials, secrets and
// SSH agents.
func sessionAttachables(opt Options) ([]session.Attachable, error) {
	attachables := []session.Attachable{builder.Auth(opt.Registries.Keychain(), opt.Silence.Limit, opt.Registries.Transport)}
	if len(opt.Secrets) > 0 {
		secrets, err := build.ParseSecret(opt.Secrets)
		if err != nil {
			return nil, fmt.Errorf("--secret: %w", err)
		}
		warnEmpty(opt)
		attachables = append(attachables, secrets)
	}
	agents, err := sshAgents(opt)
	if err != nil {
		return nil, err
	}
	if opt.Step != nil {
		agents = opt.Step.Attachable(agents)
	}
	if agents != nil {
		attachables = append(attachables, agents)
	}
	return attachables, nil
}

// sshAgents returns the SSH agents that the builder may use; nil without any.
func sshAgents(opt Options) (session.Attachable, error) {
	if len(opt.SSH) > 0 {
		configs, err := build.ParseSSH(opt.SSH)
		if err == nil {
			err = checkKeys(configs)
		}
		if err != nil {
			return nil, fmt.Errorf("--ssh: %w", err)
		}
		agents, err := sshprovider.NewSSHAgentProvider(configs)
		if err != nil {
			return nil, fmt.Errorf("--ssh: %w", err)
		}
		return agents, nil
	}
	return nil, nil
}

// warnEmpty warns about secrets that come from variables which are not set: BuildKit passes them as
// empty.
func warnEmpty(opt Options) {
	for _, secret := range opt.Secrets {
		fields, err := csvvalue.Fields(secret, nil)
		if err != nil {
			continue
		}
		for _, field := range fields {
			name, ok := strings.CutPrefix(field, "env=")
			if _, set := os.LookupEnv(name); ok && !set {
				fmt.Fprintf(opt.Stderr, "WARNING: --secret %s: the environment has no variable %s: the secret is empty\n", secret, name)
			}
		}
	}
}

// checkKeys refuses anything that is neither a key nor an agent's socket: reading a pipe would
// never end.
func checkKeys(configs []sshprovider.AgentConfig) error {
	for _, config := range configs {
		if len(config.Paths) == 0 && os.Getenv("SSH_AUTH_SOCK") == "" && runtime.GOOS != "windows" { // there it has a pipe
			return fmt.Errorf("no SSH agent runs here, as $SSH_AUTH_SOCK is empty: start one, or name a key, as in %s=KEY", config.ID)
		}
		for _, path := range config.Paths {
			if path == "" {
				continue // $SSH_AUTH_SOCK
			}
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			if mode := info.Mode(); !mode.IsRegular() && mode&fs.ModeSocket == 0 {
				return fmt.Errorf("%s is neither a key nor the socket of an agent but %s", path, userfile.KindOf(mode))
			}
		}
	}
	return nil
}
