package plan

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/internal/inputs"
	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/internal/registry"
	"github.com/samforge/samforge/internal/userfile"
)

// drawFunctions returns a picture of what the functions of a SAM template are built from: the images
// that their Dockerfiles reach, and the folders of which files are copied or mounted.
func drawFunctions(ctx context.Context, p *project.Project, client *registry.Client) (*Picture, error) {
	if err := p.FindInputs(ctx, registry.NewResolver(ctx, client), project.Settings{}); err != nil {
		return nil, err
	}
	targets, err := p.Targets(ocispecs.Platform{OS: "linux", Architecture: "amd64"})
	if err != nil {
		return nil, err
	}
	folder, err := userfile.RealPath(filepath.Dir(p.File.Path))
	if err != nil {
		return nil, err
	}
	d := &functionsPicture{folder: folder, ids: map[PictureLayer]string{}, rows: map[string]int{}}
	for _, t := range targets {
		if err := d.add(t); err != nil {
			return nil, err
		}
	}
	d.sort()
	return &d.Picture, nil
}

// functionsPicture is a picture of functions that is being drawn.
type functionsPicture struct {
	Picture
	folder string                  // that of the template
	ids    map[PictureLayer]string // by the layer without its ID
	rows   map[string]int          // the images by the digests of their inputs
}

// add draws a function. One that is built from the same as an earlier one shares its image.
func (d *functionsPicture) add(t project.Target) error {
	made := t.Inputs.Digest().String()
	if row, ok := d.rows[made]; ok && len(t.Inputs.Unpinned) == 0 {
		d.Images[row].Name += ", " + t.Name
		return nil
	}
	image := PictureImage{Name: t.Name}
	for _, reached := range t.Inputs.Images {
		if !reached.Frontend {
			image.Layers = append(image.Layers, d.layer(imageLayer(reached)))
		}
	}
	if slices.ContainsFunc(t.Inputs.Parts, func(p inputs.Part) bool { return p.Kind == "file" && strings.HasPrefix(p.Name, "context/") }) {
		real, err := userfile.RealPath(t.Entry)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(d.folder, real)
		if err != nil {
			return err
		}
		image.Layers = append(image.Layers, d.layer(PictureLayer{
			Name: contextColumn, Source: filepath.ToSlash(name), Action: ActionSend, Files: t.Inputs.Files, Size: t.Inputs.Bytes,
		}))
	}
	d.rows[made] = len(d.Images)
	d.Images = append(d.Images, image)
	return nil
}

// contextColumn is the name of the boxes that are build contexts.
const contextColumn = "build context"

// imageLayer returns the box of an image, whose name has a short digest if any.
func imageLayer(image inputs.Image) PictureLayer {
	name := image.Name
	if named, err := reference.ParseNormalizedNamed(name); err == nil {
		name = reference.FamiliarString(named)
	}
	if at := strings.Index(name, "@"); at >= 0 {
		name = name[:min(len(name), at+len("@sha256:")+12)]
	}
	return PictureLayer{Name: name, Source: image.Name, Platform: platforms.Format(image.Platform), Action: ActionPull}
}

// layer returns the ID of a box, which is drawn once.
func (d *functionsPicture) layer(l PictureLayer) string {
	id, ok := d.ids[l]
	if !ok {
		id = fmt.Sprintf("layer%d", len(d.ids)+1)
		d.ids[l] = id
		l.ID = id
		d.Layers = append(d.Layers, l)
	}
	return id
}

// sort puts the images before the build contexts, each by name.
func (d *functionsPicture) sort() {
	column := func(l PictureLayer) int {
		if l.Name == contextColumn {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(d.Layers, func(a, b PictureLayer) int {
		return cmp.Or(cmp.Compare(column(a), column(b)), cmp.Compare(a.Name, b.Name))
	})
}
