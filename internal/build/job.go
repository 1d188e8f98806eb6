package build

import (
	"context"
	"encoding/csv"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	bkclient "github.com/moby/buildkit/client"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/tonistiigi/go-csvvalue"

	"github.com/samforge/samforge/frontend"
	"github.com/samforge/samforge/internal/builder"
	"github.com/samforge/samforge/internal/project"
)

// jobs returns a job for each target.
func (r *request) jobs(targets []project.Target, inEngine bool) ([]builder.Job, error) {
	var jobs []builder.Job
	for _, t := range targets {
		entries, err := exports(r.opt, t, len(targets) > 1, inEngine)
		if err != nil {
			return nil, err
		}
		job, err := r.job(t, targets, entries)
		if err != nil {
			return nil, err
		}
		job.Once = r.opt.Load && !inEngine || once(slices.Concat(r.opt.Outputs, t.Outputs))
		jobs = append(jobs, job)
	}
	return jobs, nil
}

// job returns how one target is solved and exported.
func (r *request) job(t project.Target, all []project.Target, exports []bkclient.ExportEntry) (builder.Job, error) {
	attrs, err := r.attrs(t)
	if err != nil {
		return builder.Job{}, err
	}
	imports, cacheExports, err := caches(r.opt, t)
	if err != nil {
		return builder.Job{}, err
	}
	base := r.newBaseLayers(t, all, exports)
	files := &archives{}
	files.of(exports)
	run, err := r.buildOf(t, frontend.Frontend{Warn: r.opt.warn(t), Resolved: base.resolved})
	if err != nil {
		return builder.Job{}, err
	}
	job := builder.Job{
		Name:  t.Name,
		Group: t.Entry,
		Build: run,
		// Also if the builder is lost: the others would wait for this one without end.
		Failed: func(failed builder.Result) {
			r.together.fail(failed)
			files.remove()
			if r.opt.Serve {
				r.stop()
			}
		},
		Retry: func(ctx context.Context, failed builder.Result) bool {
			return r.pushedMeanwhile(ctx, t, failed) || base.uploadUnmounted(ctx, failed)
		},
		Ready: func(ctx context.Context) { r.waitForRegistry(ctx, t) },
		Opt: bkclient.SolveOpt{
			Exports:       exports,
			FrontendAttrs: attrs,
			CacheImports:  imports,
			CacheExports:  cacheExports,
			SourcePolicy:  r.opt.SourcePolicy,

			AllowedEntitlements: entitlementsOf(attrs),
		},
	}
	r.pushMembers(&job, t)
	if r.opt.Step != nil {
		job.Build = withStep(r.opt.Step, t, job.Build)
	}
	if r.opt.Push && t.Lambda != nil {
		job.Build = r.guard.before(t, job.Build)
	}
	job.Build = r.together.join(job.Build)
	return job, nil
}

// withStep returns a build that does something with its result.
func withStep(step Step, t project.Target, build gateway.BuildFunc) gateway.BuildFunc {
	return func(ctx context.Context, c gateway.Client) (*gateway.Result, error) {
		res, err := build(ctx, c)
		if err != nil {
			return nil, err
		}
		return res, step.Run(ctx, c, t, res)
	}
}

// buildOf returns the build function of a target, which first builds the targets that are its
// contexts.
func (r *request) buildOf(t project.Target, f frontend.Frontend) (gateway.BuildFunc, error) {
	links := map[string]frontend.Link{}
	for name, linked := range t.Links {
		attrs, err := r.attrs(linked)
		if err != nil {
			return nil, err
		}
		build, err := r.buildOf(linked, f)
		if err != nil {
			return nil, err
		}
		links[name] = frontend.Link{Build: build, Opts: func(ctx context.Context) map[string]string {
			return builder.WithSessions(ctx, attrs)
		}}
	}
	return frontend.WithLinks(t.Build(f), links), nil
}

// pushedMeanwhile reports whether a registry refused a push whose tag points at this very image:
// the tag may not be moved, and another run pushed it after the builder had looked for it. The next
// attempt finds it in place. The digest decides, because BuildKit drops the code of ECR's answer
// (TAG_INVALID), and the words have changed before.
func (r *request) pushedMeanwhile(ctx context.Context, t project.Target, failed builder.Result) bool {
	return refused.MatchString(failed.Err.Error()) && slices.ContainsFunc(t.Refs, func(ref string) bool {
		digest, ok, err := r.opt.Registries.Digest(ctx, ref)
		return err == nil && ok && failed.Exported(digest)
	})
}

// waitForRegistry asks the registry that a target is pushed to for its tag. The client waits as
// long as the registry's Retry-After says, which the builder does not pass on.
func (r *request) waitForRegistry(ctx context.Context, t project.Target) {
	if r.opt.Push && len(t.Refs) > 0 {
		_, _, _ = r.opt.Registries.Digest(ctx, t.Refs[0]) // the builder meets the error again
	}
}

// attrs returns the attributes that buildx would pass to a frontend, so that every door builds the
// same image.
func (r *request) attrs(t project.Target) (map[string]string, error) {
	attrs := t.Attrs()
	maps.Copy(attrs, r.served.attrs[t.Part()])
	for _, labels := range []map[string]string{r.opt.Labels, t.Own.Labels} {
		for name, value := range labels {
			attrs["label:"+name] = value
		}
	}
	if r.opt.NoCache || slices.ContainsFunc(r.opt.NoCacheFilter, t.SelectedBy) {
		attrs["no-cache"] = ""
	}
	network, err := r.opt.networkAttrs()
	if err != nil {
		return nil, err
	}
	maps.Copy(attrs, network)
	for _, attest := range slices.Concat(r.opt.Attests, t.Own.Attests) {
		kind, rest, err := parseAttest(attest)
		if err != nil {
			return nil, err
		}
		if kind != "" {
			attrs["attest:"+kind] = rest
		}
	}
	return attrs, nil
}

// warn returns a function that shows a warning about a target when the builder cannot.
func (opt Options) warn(t project.Target) func(message string) {
	if opt.Progress == "quiet" {
		return nil
	}
	return func(message string) { fmt.Fprintf(opt.Stderr, "WARNING: %s: %s\n", t.Name, message) }
}

// parseAttest returns the type of an attestation and its attributes, in the form that the frontend
// expects. A disabled attestation has no type.
func parseAttest(value string) (kind, attrs string, err error) {
	fields, err := csvvalue.Fields(value, nil)
	if err != nil {
		return "", "", fmt.Errorf("--attest %s: %w", value, err)
	}
	disabled := false
	var rest []string
	for _, field := range fields {
		key, text, ok := strings.Cut(field, "=")
		if !ok {
			return "", "", fmt.Errorf("--attest %s: expected KEY=VALUE, found %q", value, field)
		}
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "type":
			kind = text
		case "generator":
			if err := project.CheckReference(text); err != nil {
				return "", "", fmt.Errorf("--attest %s: generator=%w", value, err)
			}
			rest = append(rest, field)
		case "disabled":
			if disabled, err = strconv.ParseBool(text); err != nil {
				return "", "", fmt.Errorf("--attest %s: disabled is true or false", value)
			}
		default:
			rest = append(rest, field)
		}
	}
	switch {
	case kind == "":
		return "", "", fmt.Errorf("--attest %s: name a type, such as type=provenance", value)
	case kind != "sbom" && kind != "provenance":
		return "", "", fmt.Errorf("--attest %s: the types are sbom and provenance", value)
	case disabled:
		return "", "", nil
	}
	var encoded strings.Builder
	w := csv.NewWriter(&encoded)
	err = w.Write(rest)
	w.Flush()
	return kind, strings.TrimSuffix(encoded.String(), "\n"), err
}
