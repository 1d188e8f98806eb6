package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/samforge/samforge/integration/testenv"
)

// serverlessImage is an image with the framework.
type serverlessImage struct {
	ref     string
	layer   string // a part of the history line of the framework's layer
	modules string // the directory of the framework
}

// serverlessSizes are compressed bytes.
type serverlessSizes struct {
	layer int64 // of the framework
	added int64 // all layers on top of the runtime image
}

// orNone formats a size, or says that there is none.
func orNone(size int64) string {
	if size == 0 {
		return "-"
	}
	return megabytes(size)
}

// sizes measures what an image adds to the runtime image below it. It checks that the framework and
// go-template are in the image.
func (s *serverlessBed) sizes(ctx context.Context, runtime string, i serverlessImage) (sizes serverlessSizes, err error) {
	base, err := s.registry.ImageLayers(ctx, runtime)
	if err != nil {
		return sizes, err
	}
	image, err := s.registry.ReadImage(ctx, i.ref, "linux/amd64", testenv.OnlyLayers(len(base)))
	if err != nil {
		return sizes, err
	}
	data, err := image.ReadFile(i.modules + "/serverless/package.json")
	if err != nil {
		return sizes, err
	}
	var manifest struct{ Version string }
	if err := json.Unmarshal(data, &manifest); err != nil || manifest.Version != framework {
		return sizes, fmt.Errorf("%s holds the framework %q, not %s", i.ref, manifest.Version, framework)
	}
	// The published pipeline writes a script if it cannot download go-template.
	if data, err = image.ReadFile("/opt/harness/client-tools/go-template"); err != nil || !bytes.HasPrefix(data, []byte("\x7fELF")) {
		return sizes, fmt.Errorf("%s has no go-template", i.ref)
	}
	for _, layer := range image.Layers[len(base):] {
		sizes.added += layer.Size
	}
	n := 0
	for _, line := range image.History {
		if line.EmptyLayer {
			continue
		}
		if strings.Contains(line.CreatedBy, i.layer) {
			sizes.layer = image.Layers[n].Size
		}
		n++
	}
	if sizes.layer == 0 {
		return sizes, fmt.Errorf("no layer of %s is from %q", i.ref, i.layer)
	}
	return sizes, nil
}
