// Package inputs finds what an image is made from, and makes one digest of it, without a builder.
//
// Two builds with equal digests give images with the same files and the same configuration, as far
// as the steps of their Dockerfiles do the same each time. So an image that has the digest in its
// tag need not be built again, on any machine.
package inputs

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/frontend/dockerui"
	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/internal/userfile"
	"github.com/samforge/samforge/llbgen"
)

// format is the version of what the digest is made of. It changes with every change of that, so that
// a digest of another version of samforge is never taken for one of this.
const format = "3"

// MaxDockerfile is the maximum size of a Dockerfile in bytes, as BuildKit has it.
const MaxDockerfile = 2 << 20

// Build is a build of an image from a Dockerfile on this machine.
type Build struct {
	// Folder is the build context and Dockerfile the path of the Dockerfile.
	Folder, Dockerfile string
	// Target is the stage to build; "" for the last one.
	Target   string
	Platform ocispecs.Platform
	Args     map[string]string
	Labels   map[string]string
	// Settings are others that steps can see, such as the network and additional hosts.
	Settings []string
	// Contexts are named contexts by name, as the frontend's option context:NAME has them. One that
	// is a folder is local:FOLDER.
	Contexts map[string]string
	// Lock is the lock file whose images are taken in place of those that the Dockerfile names; nil
	// for none.
	Lock *llbgen.Lockfile
	// Builder is the platform of the builder. The zero value is linux/amd64, whatever builds: the
	// builder is not known then, and must not change a digest.
	Builder ocispecs.Platform
}

// Read reads the Dockerfile.
func (b Build) Read() ([]byte, error) {
	data, err := userfile.Read(b.Dockerfile, MaxDockerfile)
	if err != nil {
		return nil, fmt.Errorf("read the Dockerfile: %w", err)
	}
	return data, nil
}

// Inputs is what an image is made from.
type Inputs struct {
	Reached
	// Parts are what the digest is made of, sorted by kind and name.
	Parts []Part
	// Files and Bytes are the number and the size of the files that are sent to a builder: those of
	// the build context that are not ignored.
	Files int
	Bytes int64
	// Unpinned says, in a sentence each, what can change although the digest does not. If there is
	// any, the image has to be built.
	Unpinned []string

	digest   digest.Digest
	triggers bool // a base image has ONBUILD instructions, which may declare any argument
}

// epochArg is the build argument with the time of the build, which does not count.
const epochArg = "SOURCE_DATE_EPOCH"

// Part is one of the inputs. Kind is one of address, argument, dockerfile, file, frontend, image,
// label, platform, setting and target. Value is a digest, or the value itself.
type Part struct {
	Kind  string `json:"kind"`
	Name  string `json:"name,omitempty"`
	Value string `json:"value"`
}

// Digest returns the digest of the parts.
func (i *Inputs) Digest() digest.Digest { return i.digest }

// seal sorts the parts and makes their digest.
func (i *Inputs) seal() {
	slices.SortFunc(i.Parts, func(a, b Part) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Value, b.Value))
	})
	sum := sha256.New()
	fmt.Fprintf(sum, "samforge inputs %s\n", format)
	for _, part := range i.Parts {
		fmt.Fprintf(sum, "%q %q %q\n", part.Kind, part.Name, part.Value)
	}
	i.digest = digest.NewDigest(digest.SHA256, sum)
}

func (i *Inputs) add(kind, name, value string) {
	i.Parts = append(i.Parts, Part{kind, name, value})
}

// Finder finds the inputs of builds. It reads each file of a folder once, however many builds share
// it. Its methods are safe for concurrent use.
type Finder struct {
	// Resolve returns the digest and the configuration of an image for a platform.
	Resolve func(ctx context.Context, ref string, platform ocispecs.Platform) (digest.Digest, []byte, error)

	files fileSums
}

// Find returns the inputs of a build. Mistakes in the Dockerfile are errors, with its lines.
func (f *Finder) Find(ctx context.Context, b Build) (*Inputs, error) {
	data, err := b.Read()
	if err != nil {
		return nil, err
	}
	in := &Inputs{}
	in.add("dockerfile", "", sumOf(data))
	in.add("platform", "", platforms.FormatAll(platforms.Normalize(b.Platform)))
	if b.Target != "" {
		in.add("target", "", b.Target)
	}
	for name, value := range b.Labels {
		in.add("label", name, value)
	}
	for _, setting := range b.Settings {
		in.add("setting", "", setting)
	}
	ignored, err := IgnorePatterns(b.Dockerfile+dockerui.DefaultDockerignoreName, filepath.Join(b.Folder, dockerui.DefaultDockerignoreName))
	if err != nil {
		return nil, err
	}
	read, err := f.read(ctx, in, b.withBuilder(), data)
	if err != nil {
		return nil, err
	}
	if err := f.addFiles(ctx, in, b, ignored, read); err != nil {
		return nil, err
	}
	in.compare(b.Lock)
	used, all := declared(data)
	for name, value := range b.Args {
		if (used[name] || all || in.triggers) && name != epochArg {
			in.add("argument", name, value)
		}
	}
	in.seal()
	return in, nil
}

// Changed reports whether what an image is made from is not what [Finder.Find] has found for the build
// before. It reads only files whose size or time is another.
func (f *Finder) Changed(ctx context.Context, b Build, before *Inputs) (bool, error) {
	again := &Finder{Resolve: f.Resolve, files: fileSums{before: &f.files}}
	now, err := again.Find(ctx, b)
	if err != nil {
		return false, err
	}
	return now.Digest() != before.Digest(), nil
}

// read returns the paths of each local context that the Dockerfile reads, by the context's name; nil
// for a context that may be read as a whole.
func (f *Finder) read(ctx context.Context, in *Inputs, b Build, data []byte) (map[string][]string, error) {
	whole := map[string][]string{mainContext: nil}
	for name, value := range b.Contexts {
		if strings.HasPrefix(value, localPrefix) {
			whole[name] = nil
		}
	}
	for name, value := range b.Contexts {
		if strings.HasPrefix(value, "oci-layout:") {
			in.Unpinned = append(in.Unpinned, fmt.Sprintf("the named context %s is an OCI layout, which samforge does not look into", name))
			in.triggers = true
			return whole, nil
		}
	}
	if err := f.frontend(ctx, in, b, data); err != nil {
		return nil, err
	}
	if in.Foreign != "" {
		// Nobody but the frontend knows what it reads: images and addresses too.
		in.triggers = true
		in.Unpinned = append(in.Unpinned, fmt.Sprintf("the frontend %s may read more than samforge knows of", in.Foreign))
		return whole, nil
	}
	c, def, err := f.convert(ctx, b, data)
	if err != nil {
		return nil, err
	}
	for _, image := range c.reached() {
		in.add("image", image.Name+" "+platforms.Format(image.Platform), image.Digest.String())
		in.Images = append(in.Images, image)
	}
	in.Unpinned, in.triggers = append(in.Unpinned, c.unknown...), c.triggers
	return in.sources(def)
}

// frontend adds the frontend that `# syntax=` names.
func (f *Finder) frontend(ctx context.Context, in *Inputs, b Build, data []byte) error {
	image, foreign, err := f.syntax(ctx, b, data)
	var unreachable *UnreachableError
	if errors.As(err, &unreachable) {
		in.Unpinned = append(in.Unpinned, fmt.Sprintf("the frontend %s was not looked up: %v", image.Written, unreachable.Err))
	} else if err != nil {
		return err
	}
	if image == nil {
		return nil
	}
	if err == nil {
		in.add("frontend", image.Name, image.Digest.String())
	}
	in.Images = append(in.Images, *image)
	if foreign {
		in.Foreign = image.Written
	}
	return nil
}

func (f *Finder) addFiles(ctx context.Context, in *Inputs, b Build, ignored []string, read map[string][]string) error {
	for _, name := range slices.Sorted(maps.Keys(read)) {
		folder, patterns, how := b.Folder, ignored, plain
		if name != mainContext {
			folder, how = strings.TrimPrefix(b.Contexts[name], localPrefix), exact
			var err error
			if patterns, err = IgnorePatterns(filepath.Join(folder, dockerui.DefaultDockerignoreName)); err != nil {
				return err
			}
		}
		of, err := f.files.read(ctx, folder, patterns, read[name], how)
		if err != nil {
			return fmt.Errorf("read the build context %s: %w", folder, err)
		}
		for _, part := range of.parts {
			in.add(part.Kind, name+"/"+part.Name, part.Value)
		}
	}
	sent, err := f.files.read(ctx, b.Folder, ignored, nil, sizes)
	if err != nil {
		return fmt.Errorf("read the build context %s: %w", b.Folder, err)
	}
	in.Files, in.Bytes = sent.files, sent.size
	return nil
}

// IgnorePatterns returns the patterns of the first ignore file that there is; none if there is none. That
// beside a Dockerfile takes the place of the one in the build context.
func IgnorePatterns(names ...string) ([]string, error) {
	for _, name := range names {
		patterns, err := readIgnoreFile(name)
		if err == nil || !os.IsNotExist(err) {
			return patterns, err
		}
	}
	return nil, nil
}

func sumOf(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}
