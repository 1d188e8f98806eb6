package llbgen

import (
	"maps"
	"slices"
	"strings"
	"time"

	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// Labels for facts that have no annotation key in the OCI image specification. Those of a layer
// stand beside its code. https://github.com/opencontainers/image-spec/blob/main/annotations.md
const (
	labelRuntime    = "io.samforge.runtime"
	labelSAMVersion = "io.samforge.sam.version"
)

// config returns the base image's config with ours on top. The base's command is cleared: the
// plugin would get it as arguments.
func (b *build) config(base *SourceImage, layers []*Layer, r recipe) *dockerspec.DockerOCIImage {
	image := *base.Config
	image.Created = &b.opt.Epoch
	image.RootFS = ocispecs.RootFS{}
	image.Config.Entrypoint = []string{r.entrypoint}
	image.Config.Cmd = nil
	image.Config.Env = prependPath(base.Config.Config.Env, r.path)
	if r.user != "" {
		image.Config.User = r.user
	}
	image.Config.Labels = b.labels(base, layers)
	image.History = b.history(base.Config, layers)
	return &image
}

// prependPath returns env with dirs at the beginning of its PATH, each once.
func prependPath(env, dirs []string) []string {
	env = slices.Clone(env)
	if len(dirs) == 0 {
		return env
	}
	for i, variable := range env {
		value, ok := strings.CutPrefix(variable, "PATH=")
		if !ok {
			continue
		}
		rest := slices.DeleteFunc(strings.Split(value, ":"), func(dir string) bool { return slices.Contains(dirs, dir) })
		env[i] = "PATH=" + strings.Join(slices.Concat(dirs, rest), ":")
		return env
	}
	return append(env, "PATH="+strings.Join(dirs, ":")+":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
}

// Annotations returns the annotations of the image's manifest. They name the base image, for tools
// that look for a newer base. The other standard keys are labels only, because annotations that a
// frontend sets override those of the user. See
// https://github.com/opencontainers/image-spec/blob/main/annotations.md
func (i *Image) Annotations() map[string]string {
	annotations := map[string]string{ocispecs.AnnotationBaseImageName: i.Base.Name}
	if i.Base.Digest != "" {
		annotations[ocispecs.AnnotationBaseImageDigest] = i.Base.Digest.String()
	}
	return annotations
}

// labels returns the base's labels, overridden by ours. Otherwise the standard keys would describe
// the base.
func (b *build) labels(base *SourceImage, layers []*Layer) map[string]string {
	labels := map[string]string{}
	maps.Copy(labels, base.Config.Config.Labels)
	maps.Copy(labels, map[string]string{
		ocispecs.AnnotationTitle:         b.target.Name,
		ocispecs.AnnotationDescription:   b.plan.Description(b.target),
		ocispecs.AnnotationVersion:       b.plan.File.Plugin.Version,
		ocispecs.AnnotationCreated:       b.opt.Epoch.UTC().Format(time.RFC3339),
		ocispecs.AnnotationBaseImageName: base.Name,
		labelRuntime:                     b.target.Runtime,
		labelSAMVersion:                  b.target.SAMVersion,
	})
	if base.Digest != "" {
		labels[ocispecs.AnnotationBaseImageDigest] = base.Digest.String()
	}
	for _, l := range layers {
		maps.Copy(labels, l.labels)
	}
	maps.Copy(labels, b.plan.File.Labels)
	maps.Copy(labels, b.opt.Labels)
	return labels
}

// history returns the base's history and one entry for each of our layers. The exporter assigns the
// layers to the entries in order, so the base needs one entry for each of its layers. If it has
// fewer, BuildKit would add entries with the time of the build; ours are the same each time. If it
// has more, as a squashed image does, the oldest count as empty.
func (b *build) history(base *dockerspec.DockerOCIImage, layers []*Layer) []ocispecs.History {
	history := slices.Clone(base.History)
	missing := len(base.RootFS.DiffIDs)
	for i, h := range slices.Backward(history) {
		if h.Created == nil {
			history[i].Created = &b.opt.Epoch
		}
		if h.EmptyLayer {
			continue
		}
		if missing == 0 {
			history[i].EmptyLayer = true
			continue
		}
		missing--
	}
	for range missing {
		history = append(history, ocispecs.History{Created: &b.opt.Epoch, CreatedBy: "base image"})
	}
	for _, l := range layers {
		history = append(history, ocispecs.History{
			Created:   &b.opt.Epoch,
			CreatedBy: l.Name + " from " + l.Source,
			Comment:   "samforge",
		})
	}
	return append(history, ocispecs.History{
		Created:    &b.opt.Epoch,
		CreatedBy:  "ENTRYPOINT and labels",
		Comment:    "samforge",
		EmptyLayer: true,
	})
}
