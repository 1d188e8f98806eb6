// Reading results back.

package testenv

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Inspected is an image of one platform, as stored in a registry.
type Inspected struct {
	Digest   string
	Config   v1.Config
	Platform string // such as linux/amd64
	Created  time.Time
	History  []v1.History
	Layers   []InspectedLayer
	Manifest v1.Manifest
	// Files is the merged view of the layers that were read, by absolute path.
	Files map[string]InspectedFile

	image v1.Image
}

// InspectedLayer is a layer of an image.
type InspectedLayer struct {
	Digest    string
	MediaType string
	Size      int64 // compressed
}

// InspectedFile is a file of an image.
type InspectedFile struct {
	Type    byte // a Typeflag of archive/tar
	Mode    int64
	UID     int
	GID     int
	ModTime time.Time
	Size    int64
	Link    string
	Layer   int // index of the layer it comes from

	entry string
}

// InspectOption changes what [ReadImage] reads.
type InspectOption func(*inspectOptions)

type inspectOptions struct{ from int }

// OnlyLayers leaves the first from layers unread, so that a large base is not fetched.
func OnlyLayers(from int) InspectOption {
	return func(o *inspectOptions) { o.from = from }
}

// ReadImage reads the image at ref, with the credentials of the Docker configuration. platform
// (linux/amd64) chooses from an index. A registry of this package counts these reads, but not those
// of [Registry.ReadImage].
func ReadImage(ctx context.Context, ref, platform string, options ...InspectOption) (*Inspected, error) {
	parsed, err := name.ParseReference(ref)
	if err != nil {
		return nil, fmt.Errorf("reading the reference %q: %w", ref, err)
	}
	return readImage(parsed, platform, []remote.Option{
		remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain),
	}, options)
}

// ReadImage reads an image from this registry. The registry does not count it or require
// credentials. ref may be a public name, see [Registry.Ref].
func (r *Registry) ReadImage(ctx context.Context, ref, platform string, options ...InspectOption) (*Inspected, error) {
	parsed, err := r.reference(ref)
	if err != nil {
		return nil, err
	}
	return readImage(parsed, platform, r.remoteOptions(ctx), options)
}

func readImage(ref name.Reference, platform string, remoteOptions []remote.Option, options []InspectOption) (_ *Inspected, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("reading the image %s for %s: %w", ref, platform, err)
		}
	}()
	var o inspectOptions
	for _, option := range options {
		option(&o)
	}
	want, err := v1.ParsePlatform(platform)
	if err != nil {
		return nil, err
	}
	image, err := remote.Image(ref, append(remoteOptions, remote.WithPlatform(*want))...)
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	// An image outside an index may be for any platform, so check it.
	if config.OS != want.OS || config.Architecture != want.Architecture {
		return nil, fmt.Errorf("it is for %s/%s", config.OS, config.Architecture)
	}
	manifest, err := image.Manifest()
	if err != nil {
		return nil, err
	}
	digest, err := image.Digest()
	if err != nil {
		return nil, err
	}
	in := &Inspected{
		Digest: digest.String(), Config: config.Config, Platform: config.OS + "/" + config.Architecture, Created: config.Created.Time,
		History: config.History, Manifest: *manifest, Files: map[string]InspectedFile{}, image: image,
	}
	for i, layer := range manifest.Layers {
		in.Layers = append(in.Layers, InspectedLayer{layer.Digest.String(), string(layer.MediaType), layer.Size})
		if i < o.from {
			continue
		}
		if err := in.addLayer(i); err != nil {
			return nil, err
		}
	}
	return in, nil
}

// eachEntry calls f for every entry of a layer until f returns false.
func (in *Inspected) eachEntry(index int, f func(*tar.Header, io.Reader) (bool, error)) error {
	hash, err := v1.NewHash(in.Layers[index].Digest)
	if err != nil {
		return err
	}
	layer, err := in.image.LayerByDigest(hash)
	if err != nil {
		return err
	}
	stream, err := layer.Uncompressed()
	if err != nil {
		return err
	}
	defer stream.Close()
	archive := tar.NewReader(stream)
	for {
		header, err := archive.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if more, err := f(header, archive); err != nil || !more {
			return err
		}
	}
}

// addLayer puts a layer onto the merged view
// (https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts).
func (in *Inspected) addLayer(index int) error {
	return in.eachEntry(index, func(h *tar.Header, _ io.Reader) (bool, error) {
		file := path.Join("/", h.Name)
		dir, base := path.Split(file)
		if base == ".wh..wh..opq" {
			in.remove(path.Clean(dir), index)
			return true, nil
		}
		if hidden, ok := strings.CutPrefix(base, ".wh."); ok {
			in.remove(dir+hidden, index)
			delete(in.Files, dir+hidden)
			return true, nil
		}
		if h.Typeflag != tar.TypeDir {
			in.remove(file, index)
		}
		in.Files[file] = InspectedFile{
			Type: h.Typeflag, Mode: h.Mode, UID: h.Uid, GID: h.Gid, ModTime: h.ModTime,
			Size: h.Size, Link: h.Linkname, Layer: index, entry: h.Name,
		}
		return true, nil
	})
}

// remove deletes the files of lower layers below dir.
func (in *Inspected) remove(dir string, index int) {
	for file, info := range in.Files {
		if info.Layer < index && strings.HasPrefix(file, strings.TrimSuffix(dir, "/")+"/") {
			delete(in.Files, file)
		}
	}
}

// ReadFile returns the content of a regular file. It follows no links.
func (in *Inspected) ReadFile(file string) ([]byte, error) {
	info, ok := in.Files[file]
	if !ok {
		return nil, fmt.Errorf("there is no %s in the layers of %s that were read", file, in.Digest)
	}
	if info.Type != tar.TypeReg {
		return nil, fmt.Errorf("%s in %s is not a regular file", file, in.Digest)
	}
	var data []byte
	err := in.eachEntry(info.Layer, func(h *tar.Header, content io.Reader) (more bool, err error) {
		if h.Name != info.entry {
			return true, nil
		}
		data, err = io.ReadAll(content)
		return false, err
	})
	if err != nil {
		return nil, fmt.Errorf("reading %s of %s: %w", file, in.Digest, err)
	}
	return data, nil
}
