package frontend

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/patternmatcher/ignorefile"
	digest "github.com/opencontainers/go-digest"

	"github.com/samforge/samforge/llbgen"
)

// dockerfile says how an image is built from a Dockerfile in the main build context.
type dockerfile struct {
	// path is the Dockerfile's, and folder is its build context: "." for the whole main context.
	path, folder string
	// target is the stage to build; "" for the last one.
	target string
	args   map[string]string
	// labels are those of the image, and noCache runs every step each time.
	labels  map[string]string
	noCache bool
	// platform is that of the image, such as linux/arm64.
	platform string
}

// forward returns the request that builds an image with the Dockerfile frontend, or with the one that
// the Dockerfile's `# syntax=` names. It returns the Dockerfile too.
func (b *build) forward(ctx context.Context, d dockerfile) (client.SolveRequest, []byte, error) {
	request := client.SolveRequest{
		Frontend:       "dockerfile.v0",
		FrontendOpt:    forwarded(b.BuildOpts().Opts, d),
		FrontendInputs: map[string]*pb.Definition{},
	}
	data, ignored, err := b.readDockerfile(ctx, d)
	if err != nil {
		return request, nil, err
	}
	folder, err := b.folder(ctx, d.folder, ignored)
	if err != nil {
		return request, nil, err
	}
	for name, state := range map[string]llb.State{
		dockerui.DefaultLocalNameContext:    folder,
		dockerui.DefaultLocalNameDockerfile: onlyFile(d.path, data),
	} {
		def, err := state.Marshal(ctx, llb.WithCaps(b.BuildOpts().LLBCaps))
		if err != nil {
			return request, nil, fmt.Errorf("marshal the graph: %w", err)
		}
		request.FrontendInputs[name] = def.ToPB()
	}
	return request, data, nil
}

// readDockerfile reads the Dockerfile and the patterns of its ignore file: the one beside it, else
// that of its build context.
func (b *build) readDockerfile(ctx context.Context, d dockerfile) (data []byte, ignored []string, err error) {
	ignoreFiles := []string{d.path + ".dockerignore", path.Join(d.folder, dockerui.DefaultDockerignoreName)}
	files, err := b.contextFiles(ctx, append(ignoreFiles, d.path)...)
	if err != nil {
		return nil, nil, err
	}
	if data, err = ReadContextFile(files, d.path); err != nil {
		return nil, nil, err
	}
	for _, name := range ignoreFiles {
		if _, err := files.Open(name); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		text, err := ReadContextFile(files, name)
		if err == nil {
			ignored, err = ignorefile.ReadAll(bytes.NewReader(text))
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
		break
	}
	return data, ignored, nil
}

// contextFiles loads some files of the main build context, as far as they exist.
func (b *build) contextFiles(ctx context.Context, names ...string) (fs.FS, error) {
	only := llb.FollowPaths(names)
	if slices.ContainsFunc(names, func(name string) bool { return escape(name) != name }) {
		var patterns []string
		for _, name := range names {
			patterns = append(patterns, escape(name))
		}
		only = llb.IncludePatterns(patterns) // in FollowPaths such a name is a pattern
	}
	state, err := b.MainContext(ctx, only,
		llb.ExcludePatterns(nil), // the Dockerfile is needed even if .dockerignore leaves it out
		llb.SharedKeyHint(hint(names)),
		llb.Differ(llb.DiffNone, false), // the same size and time do not make the same file
		dockerui.WithInternalName("load "+strings.Join(names, ", ")),
	)
	if err != nil {
		return nil, fmt.Errorf("load the build context: %w", err)
	}
	ref, err := b.solve(ctx, *state, true)
	if err != nil {
		return nil, fmt.Errorf("load %s from the build context: %w", strings.Join(names, ", "), explainGit(err))
	}
	return fileSystem{ctx, ref}, nil
}

// plainModes are the modes that the files of a build context get: of what a file had, only whether it
// is executable counts, as in git. So the umask of a checkout changes no image, and Lambda's user can
// read every file.
const plainModes = "u=rwX,go=rX"

// folder returns a folder of the main build context without the files that are ignored. All its
// files have the time of the build's epoch and plain modes.
//
// The copy is also what makes caches work. The cache that a target exports has the content of the
// local folder as a key only if the vertex above the folder is the target's own; where several
// targets are built together and share that vertex, all but one lack the key. Above a copy they have
// it.
func (b *build) folder(ctx context.Context, folder string, ignored []string) (llb.State, error) {
	patterns := below(folder, ignored)
	opts := []llb.LocalOption{
		llb.ExcludePatterns(patterns),
		llb.SharedKeyHint(hint(append(patterns, folder))),
		dockerui.WithInternalName("load build context " + folder),
	}
	if folder != "." {
		opts = append(opts, llb.IncludePatterns([]string{escape(folder)}))
	}
	state, err := b.MainContext(ctx, opts...)
	if err != nil {
		return llb.State{}, fmt.Errorf("load the build context: %w", err)
	}
	how := &llb.CopyInfo{
		CopyDirContentsOnly: true,
		ExcludePatterns:     ignored, // a git repository is whole until here
		CreatedTime:         &b.epoch,
	}
	// BuildKit does not announce CapFileCopyModeStringFormat. This one is younger. Builders without it
	// keep the modes.
	caps := b.BuildOpts().LLBCaps
	if caps.Supports(pb.CapFileSymlinkCreate) == nil {
		how.Mode = &llb.ChmodOpt{ModeStr: plainModes}
	}
	return llb.Scratch().File(llb.Copy(*state, folder, "/", how), dockerui.WithInternalName("copy build context "+folder)), nil
}

// hint returns the shared key of a local source. A builder keeps what it received under a key, and
// receives everything again if other files come under the same one.
func hint(names []string) string {
	return "samforge-" + digest.FromString(strings.Join(names, "\x00")).Encoded()[:16]
}

// below returns the patterns of an ignore file in a folder as patterns of the folder above it.
func below(folder string, patterns []string) []string {
	if folder == "." {
		return patterns
	}
	var all []string
	for _, pattern := range patterns {
		pattern, negated := strings.CutPrefix(pattern, "!")
		pattern = path.Join(escape(folder), pattern)
		if negated {
			pattern = "!" + pattern
		}
		all = append(all, pattern)
	}
	return all
}

// escape returns a path as a pattern that only it matches.
func escape(name string) string {
	name = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(name)
	if strings.HasPrefix(name, "!") {
		return `\` + name
	}
	return name
}

// onlyFile returns a file in otherwise empty folders.
func onlyFile(name string, data []byte) llb.State {
	state := llb.Scratch()
	if dir := path.Dir(name); dir != "." {
		state = state.File(llb.Mkdir("/"+dir, 0o755, llb.WithParents(true)))
	}
	return state.File(llb.Mkfile("/"+name, 0o644, data), dockerui.WithInternalName("load "+name))
}

// ours are the options that are about the file that this frontend reads, and would be taken for
// those of the Dockerfile. With a remaining BUILDKIT_SYNTAX the Dockerfile frontend would forward to
// this one again, and with a remaining cmdline it would not look for `# syntax=` in the Dockerfile.
func ours() []string {
	return []string{
		"cmdline", "source", "filename", "target", "platform", "context", "contextkey", "contextsubdir", "dockerfilekey",
		"build-arg:BUILDKIT_SYNTAX",
		// An image of a function has one platform, and Lambda refuses an index.
		"multi-platform", "build-arg:BUILDKIT_MULTI_PLATFORM",
	}
}

// IsOurs reports whether an option of the frontend is not one of the Dockerfiles of functions.
func IsOurs(option string) bool {
	return slices.Contains(ours(), option) || strings.HasPrefix(option, "build-arg:SAMFORGE_")
}

// forwarded returns the options of this frontend as those of the Dockerfile frontend. Build arguments
// of the command line replace those that d has.
func forwarded(opts map[string]string, d dockerfile) map[string]string {
	all := maps.Clone(opts)
	maps.DeleteFunc(all, func(name, _ string) bool { return IsOurs(name) })
	all["filename"], all["platform"] = d.path, d.platform
	if d.target != "" {
		all["target"] = d.target
	}
	for name, value := range d.args {
		if _, given := all["build-arg:"+name]; !given {
			all["build-arg:"+name] = value
		}
	}
	for name, value := range d.labels {
		if _, given := all["label:"+name]; !given {
			all["label:"+name] = value
		}
	}
	if d.noCache {
		all["no-cache"] = ""
	}
	if all["build-arg:"+llbgen.EpochArg] == "" {
		all["build-arg:"+llbgen.EpochArg] = strconv.FormatInt(llbgen.DefaultEpoch().Unix(), 10)
	}
	return all
}
