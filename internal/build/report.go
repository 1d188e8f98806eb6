package build

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/exporter/containerimage/exptypes"
	gatewaypb "github.com/moby/buildkit/frontend/gateway/pb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/frontend"
	"github.com/samforge/samforge/internal/builder"
	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/internal/registry"
	"github.com/samforge/samforge/source"
)

// report collects the results of a build: one line for each image on standard output, the files
// that flags ask for, and the error.
type report struct {
	opt      Options
	inEngine bool // the images are in the Docker engine that built them
	several  bool // the user asked for several targets
	guard    *guard
	exported bool // the images leave the builder's cache
	started  time.Time
	built    []Built
	failures []builder.Result
}

func (r *request) newReport(several bool) *report {
	return &report{opt: r.opt, guard: r.guard, several: several, started: time.Now()}
}

// existing asks a builder which references of the targets exist in their registries, and returns
// their digests.
func (r *request) existing(ctx context.Context, pool *builder.Pool, targets []project.Target) (map[string]string, error) {
	refs := map[string]ocispecs.Platform{}
	for _, t := range targets {
		for _, ref := range t.References() {
			refs[ref] = t.Platforms[0]
		}
		for _, m := range membersOf(t) {
			refs[m.ref] = m.platform
		}
	}
	found, err := pool.Digests(ctx, r.session, refs)
	var asked *builder.AskError
	if errors.As(err, &asked) {
		return nil, registry.Explain(err, asked.Ref)
	}
	return found, err
}

// skipExisting leaves out the targets whose references all exist in their registries, and reports
// those targets. existing has the digests of the references that exist.
func (r *report) skipExisting(ctx context.Context, targets []project.Target, existing map[string]string) ([]project.Target, error) {
	var missing []project.Target
	var found []Built
	for _, t := range targets {
		refs := withDigests(t.References(), existing)
		if refs == nil {
			missing = append(missing, t)
			continue
		}
		found = append(found, skipped(t, refs))
	}
	wrong := make([]error, len(found))
	if r.opt.Push {
		wrong = r.guard.found(ctx, found)
	}
	for i, image := range found {
		if wrong[i] != nil {
			r.failures = append(r.failures, builder.Result{Name: image.Target.Name, Err: wrong[i]})
			continue
		}
		if err := r.add(image); err != nil {
			return nil, err
		}
	}
	return missing, nil
}

// missing returns the targets of which some reference does not exist.
func missing(targets []project.Target, existing map[string]string) []project.Target {
	return slices.DeleteFunc(slices.Clone(targets), func(t project.Target) bool { return withDigests(t.References(), existing) != nil })
}

// skipped returns an image that already exists.
func skipped(t project.Target, refs []Ref) Built {
	return Built{Target: t, Refs: refs, Skipped: true, Metadata: map[string]any{
		exptypes.ExporterImageDigestKey: refs[0].Digest,
		"image.name":                    strings.Join(t.Refs, ","),
	}}
}

// withDigests returns the references with their digests, or nil if a digest is missing.
func withDigests(refs []string, digests map[string]string) []Ref {
	var found []Ref
	for _, ref := range refs {
		digest, ok := digests[ref]
		if !ok {
			return nil
		}
		found = append(found, Ref{ref, digest})
	}
	return found
}

// finish reports the results of the targets. Both are in the same order.
func (r *report) finish(ctx context.Context, targets []project.Target, results []builder.Result) error {
	var perhaps []string
	for n, result := range results {
		err := result.Err
		if mistakes := (source.Diagnostics)(nil); errors.As(result.Cause, &mistakes) {
			err = mistakes // through the builder they lost their form
		}
		if err == nil {
			err = r.image(ctx, targets[n], result)
		} else {
			err = explain(err, targets[n], result)
		}
		if err != nil {
			perhaps = append(perhaps, result.Pushed()...)
			result.Err = err
			r.failures = append(r.failures, result)
		}
	}
	r.warn()
	err := errors.Join(r.writeFiles(), r.writeSummary(r.summarize(ctx, results, time.Since(r.started))))
	if len(r.failures) > 0 {
		return errors.Join(&FailedError{Failures: r.failures, Pushed: r.built, Perhaps: perhaps, pushing: r.opt.Push}, err)
	}
	return err
}

// warn prints what the guard warned of, in a fixed order.
func (r *report) warn() {
	for _, warning := range slices.Sorted(maps.Keys(r.guard.warnings)) {
		fmt.Fprintln(r.opt.Stderr, "WARNING: "+warning)
	}
}

// notAllowed matches a builder's refusal of a privilege that a build asks for.
var notAllowed = regexp.MustCompile(`granting entitlement (\S+) is not allowed by build daemon configuration`)

// explain adds what to do to errors that only say what happened.
func explain(err error, t project.Target, result builder.Result) error {
	if errors.As(err, new(*builder.LostError)) {
		return err // whatever it says is about the builder
	}
	if strings.Contains(err.Error(), "no space left on device") {
		return fmt.Errorf("the builder's disk is full: make room, for example with %s, and run the same command again: %w", result.Builder.MakeRoom(), err)
	}
	if m := notAllowed.FindStringSubmatch(err.Error()); m != nil {
		return fmt.Errorf("the builder does not allow %s: add insecure-entitlements = [%q] to its buildkitd.toml, or start buildkitd with --allow-insecure-entitlement %s; or build without --network host: %w", m[1], m[1], m[1], err)
	}
	if sentence := result.Builder.ExplainOwners(err.Error() + "\n" + result.Log); sentence != "" {
		return fmt.Errorf("%s: %w", sentence, err)
	}
	if sentence := result.Builder.ExplainStore(err.Error()); sentence != "" {
		return fmt.Errorf("%s: %w", sentence, err)
	}
	if mistakes := (source.Diagnostics)(nil); errors.As(err, &mistakes) {
		return err // of the guard
	}
	if sentence := t.Explain(err, result.Log); sentence != "" {
		return fmt.Errorf("%s: %w", sentence, err)
	}
	// What a step's program says about a server has nothing to do with the image's registry.
	if exit := (*gatewaypb.ExitError)(nil); errors.As(err, &exit) {
		return err
	}
	ref := t.Base
	if len(t.Refs) > 0 {
		ref = t.Refs[0]
	}
	var unresolved *frontend.ResolveError
	if errors.As(result.Cause, &unresolved) {
		ref = unresolved.Ref
	}
	return registry.Explain(err, ref)
}

// image reports one image that was made, and pushes the members of a pushed index under their own
// tags.
func (r *report) image(ctx context.Context, t project.Target, result builder.Result) error {
	response := result.Response.ExporterResponse
	image := Built{Target: t, Metadata: decode(response)}
	digest := response[exptypes.ExporterImageDigestKey]
	if r.inEngine && r.opt.Push && !t.NoPush {
		var err error
		if digest, err = enginePush(ctx, t.Refs); err != nil {
			return explain(err, t, result)
		}
	}
	if digest == "" { // the export has no digest
		return r.add(image)
	}
	for _, ref := range r.opt.destinations(t) {
		image.Refs = append(image.Refs, Ref{ref, digest})
	}
	if len(image.Refs) == 0 {
		image.Refs = []Ref{{t.Name, digest}}
	}
	if r.opt.Push && t.Lambda != nil {
		if err := r.guard.after(ctx, t, result.Builder, digest); err != nil {
			return err
		}
	}
	members, err := memberRefs(ctx, t, digest, result)
	image.Refs = append(image.Refs, members...)
	return errors.Join(err, r.add(image))
}

// memberRefs returns the references of the members of an index that were pushed after it.
func memberRefs(ctx context.Context, t project.Target, index string, result builder.Result) (pushed []Ref, err error) {
	if len(result.After) == 0 {
		return nil, nil
	}
	members, err := result.Builder.Index(ctx, index)
	if err != nil && !errors.Is(err, builder.ErrNotKept) {
		return nil, err
	}
	var errs []error
	for i, m := range membersOf(t) {
		after := result.After[i]
		if after.Err != nil {
			errs = append(errs, registry.Explain(after.Err, m.ref))
			continue
		}
		digest := after.Response.ExporterResponse[exptypes.ExporterImageDigestKey]
		if platform := platforms.Format(m.platform); members != nil && members[platform] != digest {
			errs = append(errs, fmt.Errorf("%s is %s, and the image for %s in the index %s is %s: the second build gave a different image; run the same command again",
				m.ref, digest, platform, index, members[platform]))
			continue
		}
		pushed = append(pushed, Ref{m.ref, digest})
	}
	return pushed, errors.Join(errs...)
}

// add records an image and prints its references.
func (r *report) add(image Built) error {
	r.built = append(r.built, image)
	r.exported = r.exported || r.leaves(image)
	if r.opt.Summary == SummaryJSON {
		return nil
	}
	for _, ref := range image.Refs {
		if _, err := fmt.Fprintln(r.opt.Stdout, ref); err != nil {
			return fmt.Errorf("write the result: %w", err)
		}
	}
	return nil
}

// leaves reports whether an image leaves the builder's cache.
func (r *report) leaves(image Built) bool {
	return image.Skipped || r.inEngine || r.opt.Push && !image.Target.NoPush || r.opt.Load || len(r.opt.Outputs) > 0 || len(image.Target.Outputs) > 0
}

// decode turns an exporter's response into metadata. It decodes values that are JSON in base64.
func decode(response map[string]string) map[string]any {
	metadata := make(map[string]any, len(response))
	for key, value := range response {
		metadata[key] = value
		data, err := base64.StdEncoding.DecodeString(value)
		if err == nil && json.Valid(data) && strings.ContainsAny(string(data[:1]), "{[") {
			metadata[key] = json.RawMessage(data)
		}
	}
	return metadata
}
