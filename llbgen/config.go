package llbgen

import (
	"maps"
	"slices"
	"strings"
	"time"

	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// Labels for facts that have no annotation key in the OCI image specification. Those of a layer stand
// beside its code. https://github.com/opencontainers/image-spec/blob/main/annotations.md
const (
	labelRuntime    = "io.samforge.runtime"
	labelSAMVersion = "io.samforge.sam.version"
)

// config is the base image's config with ours on top. The entrypoint takes the
// place of the base's command, which the plugin would get as an argument.
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

// prependPath returns env with dirs before what else is on its PATH, each once.
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

// Annotations returns what the image's manifest says of it: which base it was
// built from, where tools that look for a newer base read it. The other standard
// keys are labels alone, since annotations that a frontend sets take the place
// of those that the user names.
// See https://github.com/opencontainers/image-spec/blob/main/annotations.md
func (i *Image) Annotations() map[string]string {
	annotations := map[string]string{ocispecs.AnnotationBaseImageName: i.Base.Name}
	if i.Base.Digest != "" {
		annotations[ocispecs.AnnotationBaseImageDigest] = i.Base.Digest.String()
	}
	return annotations
}

// labels are the base's, with ours over them. The standard keys that are set here
// would tell of the base otherwise.
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

// history returns the base's history and one entry for each of our layers. The exporter gives the
// layers to the entries in their order, so the base must have one entry for each of its own. Where
// it has fewer, BuildKit would fill the gap with the time of the build; ours are the same each
// time. Where it has more, as after its layers were squashed, the oldest count as empty.
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
