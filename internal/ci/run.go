package ci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/samforge/samforge/internal/bakefile"
	"github.com/samforge/samforge/internal/build"
	"github.com/samforge/samforge/internal/builder"
	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/internal/registry"
)

// Options say what a step runs on.
type Options struct {
	Silence builder.SilenceOptions
	// Stdout gets a line for each reference; Stderr gets everything else.
	Stdout, Stderr io.Writer
	// ReadBake returns the images of bake files: [bakefile.Read].
	ReadBake func(context.Context, bakefile.Definition) ([]project.Dockerfile, error)
}

func (o Options) say(format string, args ...any) {
	fmt.Fprintf(o.Stderr, "samforge: "+format+"\n", args...)
}

// Run builds and pushes the image of the step.
func (s *Step) Run(ctx context.Context, o Options) (err error) {
	forget, err := s.trust()
	if err != nil {
		return err
	}
	defer func() { err = withSetting(errors.Join(err, forget())) }()
	images, err := s.images(ctx, o)
	if errors.Is(err, ErrNothing) {
		o.say("%v", err)
		return nil
	}
	if err != nil {
		return err
	}
	signer, err := s.signer()
	if err = errors.Join(err, s.checkFiles()); err != nil {
		return project.BadInput(err)
	}
	var p *project.Project
	if !s.pushOnly {
		if p, err = project.LoadDockerfiles(images); err != nil {
			return s.inSettings(err)
		}
	}
	refs := references(images)
	config, err := s.config(p, refs)
	if err != nil {
		return err
	}
	if s.silence > 0 {
		o.Silence.Limit = s.silence
	}
	client, err := s.client(ctx, config, o)
	if err != nil {
		return err
	}
	agent, err := s.serveSSHKey()
	if err != nil {
		return project.BadInput(err)
	}
	defer agent.close()
	opt, err := s.options(ctx, agent)
	if err != nil {
		return project.BadInput(err)
	}
	if err := s.checkLogin(ctx, client, refs); err != nil {
		return err
	}
	opt.Builder.Config, opt.Registries = config, client
	opt.Prepare = s.preparation(images, o)
	return s.finish(ctx, images, opt, signer, o)
}

// finish builds and pushes the images whose settings are right.
func (s *Step) finish(ctx context.Context, images []project.Dockerfile, opt build.Options, signer *signer, o Options) error {
	var existing []build.Ref
	if s.skipIfExists && s.pushes() {
		var err error
		if existing, err = absent(ctx, opt.Registries, images); err != nil {
			return err
		}
		for _, ref := range existing {
			o.say("%s exists, and is %s", ref, signer.left())
			if _, err := fmt.Fprintln(o.Stdout, ref); err != nil {
				return fmt.Errorf("write the result: %w", err)
			}
		}
		if images = unfinished(images); len(images) == 0 {
			if err := opt.Prepare(ctx, nil, nil); err != nil { // its policies may be new
				return err
			}
			s.sayOthers(existing, nil, o)
			return s.writeOutputs(nil, existing, nil)
		}
	}
	built, pushed, err := s.produce(ctx, images, opt, o)
	if err != nil {
		return err
	}
	s.sayOthers(existing, pushed, o)
	s.writeCard(ctx, opt.Registries, pushed, o)
	return errors.Join(signer.sign(ctx, opt.Registries, pushed, o), s.writeOutputs(built, existing, pushed))
}

// sayOthers says which tags that exist are not of the image of this step: the one that was pushed,
// else the one of the last tag.
func (s *Step) sayOthers(existing, pushed []build.Ref, o Options) {
	if len(s.bakeFiles) > 0 || len(existing) == 0 {
		return
	}
	image := existing[len(existing)-1]
	if len(pushed) > 0 {
		image = pushed[0]
	}
	for _, ref := range existing {
		if ref.Digest != image.Digest {
			o.say("%s is another image than %s, and stays as it is: PLUGIN_SKIP_PUSH_IF_TAG_EXISTS moves no tag", ref.Name, image.Name)
		}
	}
}

// produce builds the images, or reads one from a file, and pushes them.
func (s *Step) produce(ctx context.Context, images []project.Dockerfile, opt build.Options, o Options) (built []build.Built, pushed []build.Ref, err error) {
	if s.pushOnly {
		pushed, err = s.pushTar(ctx, images[0].Refs, opt, o)
		return nil, pushed, err
	}
	built, err = s.build(ctx, images, opt, o)
	for _, image := range built {
		if s.pushes() && !image.Target.NoPush {
			pushed = append(pushed, image.Refs...)
		}
	}
	return built, pushed, err
}

// images returns the images of the step, if the settings are right: one, or those of a bake file.
func (s *Step) images(ctx context.Context, o Options) ([]project.Dockerfile, error) {
	if err := s.check(); err != nil {
		return nil, project.BadInput(err)
	}
	if err := s.findRegistry(ctx); err != nil {
		return nil, err
	}
	if len(s.bakeFiles) > 0 {
		images, err := s.baked(ctx, o)
		if err != nil && !errors.Is(err, bakefile.ErrNoProgram) {
			err = project.BadInput(err)
		}
		return images, err
	}
	image, err := s.Dockerfile(ctx)
	if err != nil {
		return nil, project.BadInput(err)
	}
	return []project.Dockerfile{image}, nil
}

// references returns the references that images are pushed to.
func references(images []project.Dockerfile) (refs []string) {
	for _, image := range images {
		if !image.Linked && !image.NoPush {
			refs = append(refs, image.Refs...)
		}
	}
	return refs
}

// build builds the images.
func (s *Step) build(ctx context.Context, images []project.Dockerfile, opt build.Options, o Options) ([]build.Built, error) {
	for n := range images {
		if err := s.identify(ctx, &images[n].Own); err != nil {
			return nil, err
		}
	}
	p, err := project.LoadDockerfiles(images)
	if err != nil {
		return nil, err
	}
	if err := s.identify(ctx, &opt.Settings); err != nil {
		return nil, err
	}
	opt.Silence, opt.Stdout, opt.Stderr = o.Silence, o.Stdout, o.Stderr
	opt.SourcePolicy, opt.Tries = s.policy(), s.reach.tries()
	opt.Builder.Log = func(sentence string) { o.say("%s", sentence) }
	built, err := build.Build(ctx, p, opt)
	return built, s.inSettings(err)
}

// client returns a client for registries with the credentials of the settings.
func (s *Step) client(ctx context.Context, config builder.Config, o Options) (*registry.Client, error) {
	keychain := registry.NewKeychain(func(sentence string) { fmt.Fprintln(o.Stderr, "WARNING: "+sentence) }, s.aws)
	logins, err := s.logins(ctx)
	var silent *registry.CloudError
	if err != nil && (!errors.As(err, &silent) || silent.Input) {
		err = project.BadInput(err)
	}
	if err != nil {
		return nil, err
	}
	keychain.Add(logins...)
	client := registry.NewClient(keychain, o.Silence.Limit)
	client.Tries = s.reach.tries()
	if err := client.Reach(config.Registries); err != nil {
		return nil, project.BadInput(err)
	}
	return client, nil
}

// absent takes the references that exist in their registry out of images, and returns them.
func absent(ctx context.Context, client *registry.Client, images []project.Dockerfile) (existing []build.Ref, err error) {
	for n, image := range images {
		if image.Linked || image.NoPush {
			continue
		}
		var missing []string
		for _, ref := range image.Refs {
			digest, there, err := client.Digest(ctx, ref)
			if err != nil {
				return nil, fmt.Errorf("PLUGIN_SKIP_PUSH_IF_TAG_EXISTS: %w", err)
			}
			if there {
				existing = append(existing, build.Ref{Name: ref, Digest: digest})
			} else {
				missing = append(missing, ref)
			}
		}
		images[n].Refs = missing
	}
	return existing, nil
}

// unfinished returns the images that have references left to push, or that are not pushed, and those
// that are contexts of others; none if these are all that is left.
func unfinished(images []project.Dockerfile) (left []project.Dockerfile) {
	only := true
	for _, image := range images {
		if image.Linked || image.NoPush || len(image.Refs) > 0 {
			left, only = append(left, image), only && image.Linked
		}
	}
	if only {
		return nil
	}
	return left
}

// check refuses settings that contradict each other.
func (s *Step) check() error {
	switch {
	case !slices.Contains([]string{"docker", "oci"}, s.tarFormat):
		return fmt.Errorf("PLUGIN_BUILDX_OUTPUT_FORMAT: %q is neither docker nor oci", s.tarFormat)
	case (s.push.username == "") != (s.push.password == ""):
		return errors.New("PLUGIN_USERNAME and PLUGIN_PASSWORD belong together, and one of them is missing")
	case (s.base.username == "") != (s.base.password == ""):
		return errors.New("PLUGIN_BASE_IMAGE_USERNAME and PLUGIN_BASE_IMAGE_PASSWORD belong together, and one of them is missing")
	case s.pushOnly && s.noPush:
		return errors.New("PLUGIN_PUSH_ONLY and PLUGIN_NO_PUSH contradict each other: set one of them")
	case s.pushOnly && len(s.bakeFiles) > 0:
		return errors.New("PLUGIN_PUSH_ONLY and PLUGIN_BAKE_FILE contradict each other: set one of them")
	case len(s.bakeOptions) > 0 && len(s.bakeFiles) == 0:
		return errors.New("PLUGIN_BAKE_OPTIONS is given without PLUGIN_BAKE_FILE: name the bake file")
	case s.pushOnly != (s.sourceTar != ""):
		return errors.New("PLUGIN_PUSH_ONLY and PLUGIN_SOURCE_TAR_PATH belong together, and one of them is missing")
	case len(s.platforms) > 1 && s.tarPath != "" && s.tarFormat == "docker" && !s.pushOnly && len(s.bakeFiles) == 0:
		return errors.New("PLUGIN_TAR_PATH: an archive of docker save has one platform, and PLUGIN_PLATFORM has several: set PLUGIN_BUILDX_OUTPUT_FORMAT=oci, or name one platform")
	case s.noPush && slices.ContainsFunc(s.furtherOutputs, pushing):
		return errors.New("PLUGIN_NO_PUSH and an output in PLUGIN_BUILDX_OPTIONS that pushes contradict each other: leave one of them out")
	case s.accessToken != "" && s.push.password != "":
		return errors.New("ACCESS_TOKEN and PLUGIN_PASSWORD contradict each other: set one of them")
	}
	for name, of := range map[string]string{"PLUGIN_REGISTRY": s.registry, "PLUGIN_BASE_IMAGE_REGISTRY": s.base.registry} {
		if err := checkRegistry(name, of); err != nil {
			return err
		}
	}
	return nil
}

// options returns how the image is built.
func (s *Step) options(ctx context.Context, agent *sshAgent) (build.Options, error) {
	opt := build.Options{
		CheckPush: !s.skipPushCheck,
		Push:      s.pushes(), DryRun: s.noPush, NoCache: s.noCache, AddHosts: s.addHosts, Network: s.network,
		MetadataFile: s.metadataFile, Progress: "plain", Together: true,
		Builder: builder.Options{Address: s.builder}, RewriteTimestamp: s.reproducible,
	}
	if s.quiet {
		opt.Progress = "quiet"
	}
	var err error
	if opt.Secrets, err = s.secrets(); err != nil {
		return opt, err
	}
	opt.SSH = slices.Clone(s.ssh)
	if agent != nil {
		opt.SSH = append(opt.SSH, "default="+agent.socket)
	}
	if opt.Labels, err = s.allLabels(ctx); err != nil {
		return opt, err
	}
	if len(s.bakeFiles) > 0 {
		return opt, nil
	}
	opt.Outputs = s.outputs()
	opt.Annotations, opt.Attests = s.annotations, s.attests
	if err := s.checkProxies(s.attests); err != nil {
		return opt, err
	}
	opt.CacheFrom, opt.CacheTo, err = s.caches()
	return opt, err
}

// outputs are the exports beside the push.
func (s *Step) outputs() (outputs []string) {
	if s.tarPath != "" {
		outputs = append(outputs, "type="+s.tarFormat+",dest="+s.tarPath)
	}
	if s.layoutPath != "" {
		outputs = append(outputs, "type=oci,tar=false,dest="+s.layoutPath)
	}
	return append(outputs, s.furtherOutputs...)
}

// allLabels returns the labels of the image.
func (s *Step) allLabels(ctx context.Context) (map[string]string, error) {
	labels := map[string]string{}
	if s.autoLabel {
		const prefix = "org.opencontainers.image."
		if at, ok := s.commitTime(ctx); ok {
			labels[prefix+"created"] = at.UTC().Format("2006-01-02T15:04:05Z")
		}
		for name, value := range map[string]string{"revision": s.commit, "source": withoutUser(s.remoteURL), "url": withoutUser(s.repoLink)} {
			if value != "" {
				labels[prefix+name] = value
			}
		}
	}
	if len(s.bakeFiles) > 0 {
		return labels, nil
	}
	for prefix, list := range map[string][]string{"org.label-schema.": s.labelSchema, "": s.labels} {
		for _, label := range list {
			key, value, ok := strings.Cut(label, "=")
			if !ok || key == "" {
				return nil, fmt.Errorf("PLUGIN_CUSTOM_LABELS, PLUGIN_LABEL_SCHEMA: %q is not of the form KEY=VALUE", label)
			}
			labels[prefix+key] = value
		}
	}
	return labels, nil
}
