package project

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/platforms"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/llbgen"
)

// buildFile is the build file as it was read.
type buildFile struct {
	name string
	data []byte
}

// readFile reads the build file. Without --file a missing samforge.yaml is an
// empty one: build arguments can give everything.
func readFile(opt Options) (buildFile, error) {
	switch opt.File {
	case "-":
		data, err := io.ReadAll(opt.Stdin)
		return buildFile{name: "stdin", data: data}, err
	case "":
		data, err := os.ReadFile(filepath.Join(opt.Context, llbgen.Filename))
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return buildFile{name: llbgen.Filename, data: data}, err
	default:
		data, err := os.ReadFile(opt.File)
		return buildFile{name: filepath.Base(opt.File), data: data}, err
	}
}

// readLockfile reads the lock file that lies beside the build file; both results
// are nil where there is none.
func readLockfile(opt Options, file buildFile) (lockfile *llbgen.Lockfile, data []byte, err error) {
	path := lockPath(opt, file)
	if path == "" {
		return nil, nil, nil
	}
	data, err = os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err == nil {
		lockfile, err = llbgen.ParseLockfile(filepath.Base(path), data)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read the lock file: %w", err)
	}
	return lockfile, data, nil
}

// lockPath is where the lock file is, or would be; a build file on standard input
// has none.
func lockPath(opt Options, file buildFile) string {
	dir := filepath.Dir(opt.File)
	switch opt.File {
	case "-":
		return ""
	case "":
		dir = opt.Context
	}
	return filepath.Join(dir, llbgen.LockFilename(file.name))
}

// image is one target with its platforms and its references.
type image struct {
	llbgen.Target
	platforms []ocispecs.Platform
	refs      []string
	// members are the references of the platforms of an index.
	members map[string]string // by architecture
}

// multi reports whether the image is an index of several platforms.
func (i image) multi() bool { return len(i.platforms) > 1 }

// selectTargets returns the targets to build, in the order of the build file.
func selectTargets(plan *llbgen.Plan, names []string) ([]llbgen.Target, error) {
	if len(names) == 0 {
		return plan.Targets, nil
	}
	chosen := map[string]bool{}
	for _, name := range names {
		selected, err := plan.Select(name)
		if err != nil {
			return nil, err
		}
		for _, t := range selected {
			chosen[t.Name] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(plan.Targets), func(t llbgen.Target) bool { return !chosen[t.Name] }), nil
}

// planImages gives each target its platforms and references. Fallback is the
// platform of a base image that does not say.
func planImages(plan *llbgen.Plan, targets []llbgen.Target, opt Options, fallback ocispecs.Platform) ([]image, error) {
	asked, err := parsePlatforms(opt.Platforms)
	if err != nil {
		return nil, err
	}
	now, err := buildTime(opt.BuildArgs)
	if err != nil {
		return nil, err
	}
	by := llbgen.Tagger{Template: opt.TagTemplate, Time: now}
	var images []image
	taken := map[string]string{}
	for _, t := range targets {
		i := image{Target: t, refs: opt.Tags}
		if i.platforms, err = plan.Platforms(t, asked, fallback); err != nil {
			return nil, err
		}
		if len(i.refs) == 0 && (plan.File.Repo != "" || opt.Push) {
			if err := i.name(plan, by); err != nil {
				return nil, err
			}
		}
		for _, ref := range slices.Concat(i.refs, slices.Collect(maps.Values(i.members))) {
			if other, ok := taken[ref]; ok {
				return nil, fmt.Errorf("targets %s and %s give the same tag %s: one image would overwrite the other; use another --tag-template, or build one of them", other, t.Name, ref)
			}
			taken[ref] = t.Name
		}
		images = append(images, i)
	}
	return images, checkCaches(opt, images)
}

// name makes the references of the image: of the one platform, or of an index
// and its members.
func (i *image) name(plan *llbgen.Plan, by llbgen.Tagger) error {
	if !i.multi() {
		ref, err := plan.Reference(i.Target, i.platforms[0].Architecture, by)
		i.refs = []string{ref}
		return err
	}
	ref, err := plan.Reference(i.Target, "", by)
	if err != nil {
		return err
	}
	i.refs, i.members = []string{ref}, map[string]string{}
	for _, platform := range i.platforms {
		member, err := plan.Reference(i.Target, platform.Architecture, by)
		if err != nil {
			return err
		}
		if member != ref { // a template without .Arch names the index alone
			i.members[platform.Architecture] = member
		}
	}
	return nil
}

func parsePlatforms(values []string) ([]ocispecs.Platform, error) {
	var asked []ocispecs.Platform
	for _, value := range values {
		for name := range strings.SplitSeq(value, ",") {
			platform, err := platforms.Parse(strings.TrimSpace(name))
			if err != nil {
				return nil, fmt.Errorf("--platform %s: %w", name, err)
			}
			asked = append(asked, platform)
		}
	}
	return asked, nil
}

// buildTime is what {{.Timestamp}} in a tag shows: SOURCE_DATE_EPOCH, or now.
func buildTime(args map[string]string) (time.Time, error) {
	value := args[epochArg]
	if value == "" {
		return time.Now(), nil
	}
	seconds, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s: expected seconds since 1970, found %q", epochArg, value)
	}
	return time.Unix(seconds, 0), nil
}

const epochArg = "SOURCE_DATE_EPOCH"
