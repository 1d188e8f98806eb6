package build

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/moby/buildkit/exporter/containerimage/exptypes"

	"github.com/samforge/samforge/internal/builder"
	"github.com/samforge/samforge/internal/registry"
	"github.com/samforge/samforge/llbgen"
)

// FailedError says that some images were not made. What was made stays, and
// has been printed; the same command makes the rest.
type FailedError struct {
	// Failures are the errors by target.
	Failures []builder.Result
	// Pushed are the references that are in the registry.
	Pushed  []string
	pushing bool
}

func (e *FailedError) Error() string {
	var lines []string
	for _, f := range e.Failures {
		lines = append(lines, f.Name+": "+strings.TrimPrefix(f.Err.Error(), "failed to solve: "))
	}
	switch {
	case !e.pushing:
	case len(e.Pushed) == 0:
		lines = append(lines, "nothing was pushed")
	default:
		lines = append(lines, "already pushed (the same command pushes the rest):")
		for _, ref := range e.Pushed {
			lines = append(lines, "  "+ref)
		}
	}
	return strings.Join(lines, "\n")
}

// Remaining returns e without the images that were only cancelled: their
// errors say no more than that. It is nil where nothing is left to say.
func (e *FailedError) Remaining() error {
	rest := *e
	rest.Failures = slices.DeleteFunc(slices.Clone(e.Failures), builder.Result.Cancelled)
	if len(rest.Failures) == 0 && !e.pushing {
		return nil
	}
	return &rest
}

// Unwrap gives errors.Is and errors.As access to each failure.
func (e *FailedError) Unwrap() []error {
	var errs []error
	for _, f := range e.Failures {
		errs = append(errs, f.Err)
	}
	return errs
}

// report tells what came of a build: a line an image on stdout, the files that
// flags ask for, and the error.
type report struct {
	opt      Options
	plan     *llbgen.Plan
	inEngine bool                      // the images are in the Docker engine that built them
	metadata map[string]map[string]any // by target
	done     []string                  // TAG@DIGEST
}

func newReport(opt Options, plan *llbgen.Plan, inEngine bool) *report {
	return &report{opt: opt, plan: plan, inEngine: inEngine, metadata: map[string]map[string]any{}}
}

// skipExisting leaves out the images of which every reference is in its
// registry, and reports those.
func (r *report) skipExisting(ctx context.Context, images []image) ([]image, error) {
	var missing []image
	for _, i := range images {
		digests := map[string]string{}
		refs := slices.Clone(i.refs)
		for _, arch := range sortedKeys(i.members) {
			refs = append(refs, i.members[arch])
		}
		for _, ref := range refs {
			digest, ok, err := registry.Digest(ctx, ref)
			if err != nil {
				return nil, registry.Explain(err, ref)
			}
			if ok {
				digests[ref] = digest
			}
		}
		if len(digests) < len(refs) {
			missing = append(missing, i)
			continue
		}
		for _, ref := range refs {
			r.line(ref, digests[ref])
		}
	}
	return missing, nil
}

// finish reports the results of images, which are in the same order.
func (r *report) finish(ctx context.Context, images []image, results []builder.Result) error {
	failed := &FailedError{pushing: r.opt.Push}
	for n, result := range results {
		err := result.Err
		if err == nil {
			err = r.image(ctx, images[n], result)
		} else {
			if sentence := r.plan.ExplainInstall(result.Log); sentence != "" {
				err = fmt.Errorf("%s: %w", sentence, err)
			}
			err = explain(err, images[n])
		}
		if err != nil {
			result.Err = err
			failed.Failures = append(failed.Failures, result)
		}
	}
	err := r.writeFiles(images)
	if len(failed.Failures) > 0 {
		failed.Pushed = r.done
		return errors.Join(failed, err)
	}
	return err
}

// explain adds what to do to the errors that say what happened only.
func explain(err error, i image) error {
	if strings.Contains(err.Error(), "no space left on device") {
		return fmt.Errorf("the builder's disk is full: make room, for example with `buildctl prune`, and run the same command again: %w", err)
	}
	ref := i.Base
	if len(i.refs) > 0 {
		ref = i.refs[0]
	}
	return registry.Explain(err, ref)
}

// image reports one image that was made, and gives the members of a pushed
// index their own tags.
func (r *report) image(ctx context.Context, i image, result builder.Result) error {
	response := result.Response.ExporterResponse
	r.metadata[i.Name] = decode(response)
	digest := response[exptypes.ExporterImageDigestKey]
	if r.inEngine && r.opt.Push {
		var err error
		if digest, err = enginePush(ctx, i.refs); err != nil {
			return explain(err, i)
		}
	}
	if digest == "" {
		return nil // nothing that has a digest was exported
	}
	refs := i.refs
	if len(refs) == 0 {
		refs = []string{i.Name}
	}
	for _, ref := range refs {
		r.line(ref, digest)
	}
	if !r.opt.Push || len(i.members) == 0 {
		return nil
	}
	return r.tagMembers(ctx, i, digest)
}

func (r *report) tagMembers(ctx context.Context, i image, digest string) error {
	repo, err := reference.ParseNormalizedNamed(i.refs[0])
	if err != nil {
		return err
	}
	index := reference.TrimNamed(repo).String() + "@" + digest
	members, err := registry.Members(ctx, index)
	if err != nil {
		return registry.Explain(err, index)
	}
	for _, member := range members {
		platform, err := platforms.Parse(member.Platform)
		if err != nil {
			return fmt.Errorf("read the index %s: %w", index, err)
		}
		ref, ok := i.members[platform.Architecture]
		if !ok {
			continue
		}
		tagged, err := reference.ParseNormalizedNamed(ref)
		if err != nil {
			return err
		}
		if err := registry.Tag(ctx, reference.TrimNamed(repo).String()+"@"+member.Digest, tagged.(reference.Tagged).Tag()); err != nil {
			return registry.Explain(err, ref)
		}
		r.line(ref, member.Digest)
	}
	return nil
}

// line prints one finished image.
func (r *report) line(ref, digest string) {
	r.done = append(r.done, ref+"@"+digest)
	fmt.Fprintln(r.opt.Stdout, ref+"@"+digest)
}

// writeFiles writes --metadata-file and --iidfile. The metadata of one image
// is as `docker buildx build` writes it, of several as `docker buildx bake`.
func (r *report) writeFiles(images []image) error {
	var errs []error
	if r.opt.MetadataFile != "" {
		var content any = r.metadata
		if len(images) == 1 {
			content = r.metadata[images[0].Name]
		}
		data, err := json.MarshalIndent(content, "", "  ")
		errs = append(errs, err, writeFile("--metadata-file", r.opt.MetadataFile, data))
	}
	if r.opt.IIDFile != "" && len(images) == 1 {
		m := r.metadata[images[0].Name]
		id, _ := m[exptypes.ExporterImageConfigDigestKey].(string)
		if digest, ok := m[exptypes.ExporterImageDigestKey].(string); ok && id == "" {
			id = digest
		}
		errs = append(errs, writeFile("--iidfile", r.opt.IIDFile, []byte(id)))
	}
	return errors.Join(errs...)
}

// decode turns an exporter's response into metadata: a value that is JSON in
// base64 becomes the JSON.
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
