package build

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	bkclient "github.com/moby/buildkit/client"
	"github.com/moby/buildkit/cmd/buildctl/build"
	"github.com/moby/buildkit/exporter/containerimage/exptypes"

	"github.com/samforge/samforge/internal/project"
)

// exports says where an image goes. Where nothing was asked for, the image is
// put together all the same, without its layers leaving the builder: its
// digest is known then.
func exports(opt Options, t project.Target, several, inEngine bool) ([]bkclient.ExportEntry, error) {
	entries, err := outputs(opt.Outputs, t, several)
	if err != nil {
		return nil, err
	}
	if opt.Push {
		entries = append(entries, bkclient.ExportEntry{Type: bkclient.ExporterImage, Attrs: map[string]string{"push": "true"}})
	}
	if opt.Load && t.Multi() {
		return nil, errors.New("--load takes one platform, as the Docker engine loads one: choose one with --platform")
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
			if err := annotate(e.Attrs, opt.Annotations); err != nil {
				return nil, err
			}
		}
	}
	if inEngine {
		return throughEngine(entries), nil
	}
	return entries, nil
}

// outputs reads --output for one image of several. A directory gets one below
// it for each image; a single file cannot hold several.
func outputs(values []string, t project.Target, several bool) ([]bkclient.ExportEntry, error) {
	var csv []string
	for _, value := range values {
		switch {
		case value == "-":
			value = "type=tar,dest=-"
		case !strings.Contains(value, "="):
			value = "type=local,dest=" + value
		case strings.Contains(value, "type=registry"):
			value = strings.Replace(value, "type=registry", "type=image,push=true", 1)
		}
		if several {
			var err error
			if value, err = separate(value, t.Name); err != nil {
				return nil, err
			}
		}
		csv = append(csv, value)
	}
	entries, err := build.ParseOutput(csv)
	if err != nil {
		return nil, fmt.Errorf("--output: %w", err)
	}
	return entries, nil
}

func separate(output, target string) (string, error) {
	fields := strings.Split(output, ",")
	for n, field := range fields {
		dest, ok := strings.CutPrefix(field, "dest=")
		if !ok {
			continue
		}
		if !strings.Contains(output, "type=local") && !strings.Contains(output, "tar=false") {
			return "", fmt.Errorf("--output %s: several targets cannot share one file: choose one with --target, or use type=local", output)
		}
		fields[n] = "dest=" + filepath.Join(dest, target)
	}
	return strings.Join(fields, ","), nil
}

// annotate adds OCI annotations to an exporter's attributes. The type before
// the key says where they go, as in buildx: manifest (the default), index,
// manifest-descriptor or index-descriptor.
func annotate(attrs map[string]string, annotations []string) error {
	for _, a := range annotations {
		key, value, ok := strings.Cut(a, "=")
		if !ok {
			return fmt.Errorf("--annotation %q: expected [TYPE:]KEY=VALUE", a)
		}
		kinds := "manifest"
		if kind, rest, typed := strings.Cut(key, ":"); typed {
			kinds, key = kind, rest
		}
		for kind := range strings.SplitSeq(kinds, ",") {
			set, ok := map[string]string{
				exptypes.AnnotationManifest:           exptypes.AnnotationManifestKey(nil, key),
				exptypes.AnnotationManifestDescriptor: exptypes.AnnotationManifestDescriptorKey(nil, key),
				exptypes.AnnotationIndex:              exptypes.AnnotationIndexKey(key),
				exptypes.AnnotationIndexDescriptor:    exptypes.AnnotationIndexDescriptorKey(key),
			}[kind]
			if !ok {
				return fmt.Errorf("--annotation %q: unknown type %q: use manifest, index, manifest-descriptor or index-descriptor", a, kind)
			}
			attrs[set] = value
		}
	}
	return nil
}
