package build

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/exporter/containerimage/exptypes"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// annotationType matches what may precede an annotation's key, such as manifest[linux/amd64].
var annotationType = regexp.MustCompile(`^([a-z-]+)(?:\[([A-Za-z0-9_/-]+)\])?$`)

// annotate adds OCI annotations to an exporter's attributes. The types before the key say where
// they go, as in docker buildx: manifest (the default), index, manifest-descriptor or
// index-descriptor. A platform in brackets after a type limits it to that platform.
func annotate(attrs map[string]string, annotations []string) error {
	for _, a := range annotations {
		types, key, value, err := cutAnnotation(a)
		if err != nil {
			return fmt.Errorf("--annotation %q: %w", a, err)
		}
		for kind := range strings.SplitSeq(types, ",") {
			set, err := annotationKey(kind, key)
			if err != nil {
				return fmt.Errorf("--annotation %q: %w", a, err)
			}
			attrs[set] = value
		}
	}
	return nil
}

func cutAnnotation(text string) (types, key, value string, err error) {
	key, value, ok := strings.Cut(text, "=")
	if !ok {
		return "", "", "", fmt.Errorf("expected [TYPE:]KEY=VALUE")
	}
	if types, rest, typed := strings.Cut(key, ":"); typed {
		return types, rest, value, nil
	}
	return exptypes.AnnotationManifest, key, value, nil
}

// annotationKey returns the exporter's attribute for an annotation.
func annotationKey(kind, key string) (string, error) {
	parts := annotationType.FindStringSubmatch(kind)
	if parts == nil {
		return "", fmt.Errorf("%q is not a type: write one such as manifest or manifest[linux/amd64]", kind)
	}
	var platform *ocispecs.Platform
	if parts[2] != "" {
		p, err := platforms.Parse(parts[2])
		if err != nil {
			return "", err
		}
		platform = &p
	}
	switch parts[1] {
	case exptypes.AnnotationManifest:
		return exptypes.AnnotationManifestKey(platform, key), nil
	case exptypes.AnnotationManifestDescriptor:
		return exptypes.AnnotationManifestDescriptorKey(platform, key), nil
	case exptypes.AnnotationIndex:
		return exptypes.AnnotationIndexKey(key), nil
	case exptypes.AnnotationIndexDescriptor:
		return exptypes.AnnotationIndexDescriptorKey(key), nil
	}
	return "", fmt.Errorf("unknown type %q: use manifest, index, manifest-descriptor or index-descriptor", parts[1])
}
