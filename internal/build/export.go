package build

import (
	"errors"
	"slices"
	"strings"

	bkclient "github.com/moby/buildkit/client"

	"github.com/samforge/samforge/internal/project"
)

// exports says where an image goes. If the user asked for no output, the builder still assembles
// the image without sending its layers anywhere, so that its digest is known.
func exports(opt Options, t project.Target, several, inEngine bool) ([]bkclient.ExportEntry, error) {
	if opt.BuildOnly {
		return nil, nil
	}
	entries, err := outputs(opt.Outputs, t, several)
	if err != nil {
		return nil, err
	}
	own, err := outputs(t.Outputs, t, false)
	if err != nil {
		return nil, err
	}
	entries = append(entries, own...)
	pushed := slices.ContainsFunc(own, func(e bkclient.ExportEntry) bool { return e.Attrs["push"] == "true" })
	if opt.Push && !t.NoPush && !pushed {
		entries = append(entries, bkclient.ExportEntry{Type: bkclient.ExporterImage, Attrs: map[string]string{"push": "true"}})
	}
	if opt.Load && t.Multi() {
		return nil, errors.New("--load takes one platform, because the Docker engine loads only one: choose one with --platform")
	}
	if opt.Load && !inEngine {
		output, err := dockerLoad()
		if err != nil {
			return nil, err
		}
		entries = append(entries, bkclient.ExportEntry{Type: bkclient.ExporterDocker, Attrs: map[string]string{}, Output: output})
	}
	if len(entries) == 0 || opt.Load && inEngine {
		entries = append(entries, bkclient.ExportEntry{Type: bkclient.ExporterImage, Attrs: map[string]string{"push": "false"}})
	}
	for _, e := range entries {
		switch e.Type {
		case bkclient.ExporterImage, bkclient.ExporterOCI, bkclient.ExporterDocker:
			if e.Attrs["name"] == "" {
				e.Attrs["name"] = strings.Join(t.Refs, ",")
			}
			if opt.RewriteTimestamp {
				e.Attrs["rewrite-timestamp"] = "true"
			}
			if t.Lambda != nil {
				// A builder reuses a layer as it has it, and Lambda takes only gzip.
				e.Attrs["compression"], e.Attrs["force-compression"] = "gzip", "true"
			}
			if err := annotate(e.Attrs, slices.Concat(opt.Annotations, t.Own.Annotations)); err != nil {
				return nil, err
			}
		}
	}
	if inEngine {
		return throughEngine(entries), nil
	}
	return entries, nil
}

// outputs reads --output for one target. several says whether the build has more targets.
func outputs(values []string, t project.Target, several bool) ([]bkclient.ExportEntry, error) {
	var entries []bkclient.ExportEntry
	for _, value := range values {
		o, err := parseOutput(value)
		if err == nil && several {
			o, err = o.of(t.Name)
		}
		if err != nil {
			return nil, err
		}
		entry, err := o.entry()
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry)
	}
	return entries, nil
}
