package build

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/moby/buildkit/exporter/containerimage/exptypes"

	"github.com/samforge/samforge/internal/builder"
	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/internal/registry"
)

// report collects what came of a build: a line an image on standard output, the files that flags
// ask for, and the error.
type report struct {
	opt      Options
	inEngine bool // the images are in the Docker engine that built them
	several  bool // several targets were asked for
	built    []Built
}

// skipExisting leaves out the targets of which every reference is in its registry, and reports
// those.
func (r *report) skipExisting(ctx context.Context, targets []project.Target) ([]project.Target, error) {
	var missing []project.Target
	for _, t := range targets {
		refs, err := existing(ctx, t.References())
		if err != nil {
			return nil, err
		}
		if refs == nil {
			missing = append(missing, t)
			continue
		}
		if err := r.add(skipped(t, refs)); err != nil {
			return nil, err
		}
	}
	return missing, nil
}

// skipped returns an image that was there already.
func skipped(t project.Target, refs []Ref) Built {
	return Built{Target: t, Refs: refs, Skipped: true, Metadata: map[string]any{
		exptypes.ExporterImageDigestKey: refs[0].Digest,
		"image.name":                    strings.Join(t.Refs, ","),
	}}
}

// existing returns the references with their digests, or nil where one is missing.
func existing(ctx context.Context, refs []string) ([]Ref, error) {
	var found []Ref
	for _, ref := range refs {
		digest, ok, err := registry.Digest(ctx, ref)
		if err != nil {
			return nil, registry.Explain(err, ref)
		}
		if !ok {
			return nil, nil
		}
		found = append(found, Ref{ref, digest})
	}
	return found, nil
}

// finish reports the results of targets, which are in the same order.
func (r *report) finish(ctx context.Context, targets []project.Target, results []builder.Result) error {
	failed := &FailedError{pushing: r.opt.Push}
	for n, result := range results {
		err := result.Err
		if err == nil {
			err = r.image(ctx, targets[n], result)
		} else {
			if sentence := targets[n].Explain(result.Log); sentence != "" {
				err = fmt.Errorf("%s: %w", sentence, err)
			}
			err = explain(err, targets[n])
		}
		if err != nil {
			result.Err = err
			failed.Failures = append(failed.Failures, result)
		}
	}
	err := r.writeFiles()
	if len(failed.Failures) > 0 {
		failed.Pushed = r.built
		return errors.Join(failed, err)
	}
	return err
}

// explain adds what to do to the errors that say only what happened.
func explain(err error, t project.Target) error {
	if strings.Contains(err.Error(), "no space left on device") {
		return fmt.Errorf("the builder's disk is full: make room, for example with `buildctl prune`, and run the same command again: %w", err)
	}
	ref := t.Base
	if len(t.Refs) > 0 {
		ref = t.Refs[0]
	}
	return registry.Explain(err, ref)
}

// image reports one image that was made, and gives the members of a pushed index their own tags.
func (r *report) image(ctx context.Context, t project.Target, result builder.Result) error {
	response := result.Response.ExporterResponse
	image := Built{Target: t, Metadata: decode(response)}
	digest := response[exptypes.ExporterImageDigestKey]
	if r.inEngine && r.opt.Push {
		var err error
		if digest, err = enginePush(ctx, t.Refs); err != nil {
			return explain(err, t)
		}
	}
	if digest == "" { // nothing that has a digest was exported
		return r.add(image)
	}
	for _, ref := range t.Refs {
		image.Refs = append(image.Refs, Ref{ref, digest})
	}
	if len(t.Refs) == 0 {
		image.Refs = []Ref{{t.Name, digest}}
	}
	var err error
	if r.opt.Push && len(t.Members) > 0 {
		var members []Ref
		members, err = tagMembers(ctx, t, digest)
		image.Refs = append(image.Refs, members...)
	}
	return errors.Join(err, r.add(image))
}

// tagMembers gives the members of a pushed index their own tags, and returns those that they have.
func tagMembers(ctx context.Context, t project.Target, digest string) (tagged []Ref, err error) {
	repo, err := reference.ParseNormalizedNamed(t.Refs[0])
	if err != nil {
		return nil, err
	}
	index := reference.TrimNamed(repo).String() + "@" + digest
	members, err := registry.Members(ctx, index)
	if err != nil {
		return nil, registry.Explain(err, index)
	}
	for _, member := range members {
		platform, err := platforms.Parse(member.Platform)
		if err != nil {
			return tagged, fmt.Errorf("read the index %s: %w", index, err)
		}
		ref, ok := t.Members[platform.Architecture]
		if !ok {
			continue
		}
		named, err := reference.ParseNormalizedNamed(ref)
		if err != nil {
			return tagged, err
		}
		if err := registry.Tag(ctx, reference.TrimNamed(repo).String()+"@"+member.Digest, named.(reference.Tagged).Tag()); err != nil {
			return tagged, registry.Explain(err, ref)
		}
		tagged = append(tagged, Ref{ref, member.Digest})
	}
	return tagged, nil
}

// add keeps an image and prints its references.
func (r *report) add(image Built) error {
	r.built = append(r.built, image)
	for _, ref := range image.Refs {
		if _, err := fmt.Fprintln(r.opt.Stdout, ref); err != nil {
			return fmt.Errorf("write the result: %w", err)
		}
	}
	return nil
}

// decode turns an exporter's response into metadata: a value that is JSON in base64 becomes the
// JSON.
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
