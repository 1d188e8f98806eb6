package llbgen

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/samforge/samforge/placeholder"
)

// Variable is a build argument that gives or overrides a value of the build
// file. The names are those that the published pipelines use.
type Variable struct {
	Name string
	// Help says in a few words what the value is.
	Help string

	// set writes the value into the file and returns the path it set.
	set func(f *File, value string) (path string)
}

// verifyArg says how far images are checked to go together.
const verifyArg = "SAMFORGE_VERIFY"

// LockedArg is the build argument that has a build keep to its lock file.
const LockedArg = "SAMFORGE_LOCKED"

// Variables returns the build arguments of all kinds, in the order they apply.
func Variables() []Variable {
	return []Variable{
		{"HARNESS_BASE_IMAGE", "plugin image", func(f *File, v string) string {
			f.Plugin.Image = v
			return "plugin.image"
		}},
		{"VERSION", "plugin version, a part of every tag", func(f *File, v string) string {
			f.Plugin.Version = v
			return "plugin.version"
		}},
		{"TARGET_REPO", "repository the images are tagged in", func(f *File, v string) string {
			f.Repo = v
			return "repo"
		}},
		{"SAM_BASE_IMAGE", "the one base image to build on", func(f *File, v string) string {
			f.Runtimes = []RuntimeImage{{Image: v}}
			return "runtimes[0].image"
		}},
		{"RUNTIME_BASE_IMAGE_VERSION", "the one runtime image to build on (serverless)", func(f *File, v string) string {
			f.Runtimes = []RuntimeImage{{Image: v, Node: firstNode(f)}}
			return "runtimes[0].image"
		}},
		{"NODEJS_BASE_IMAGE_VERSION", "image that Node.js is taken from (serverless)", func(f *File, v string) string {
			for i := range f.Runtimes {
				f.Runtimes[i].Node = v
			}
			return "runtimes[0].node"
		}},
		{"SERVERLESS_VERSION", "version of the Serverless Framework", func(f *File, v string) string {
			if f.Serverless.Version != v {
				f.Serverless.SHA256 = "" // it was for the other version
			}
			f.Serverless.Version = v
			return "serverless.version"
		}},
		{"DOCKER_VERSION", "version of the Docker CLI", func(f *File, v string) string {
			archive, same := f.Docker.Archive, f.Docker.Version == v
			switch {
			case !placeholder.Uses(archive, "Version"):
				f.Docker = Docker{Version: v} // the official image takes the place of what was named
			case !same:
				f.Docker = Docker{Version: v, Archive: archive} // the checksums were of another version
			}
			return "docker.version"
		}},
		{"HARNESS_GO_PLUGIN_VERSION", "version of go-template", func(f *File, v string) string {
			if f.GoTemplate.Version != v {
				f.GoTemplate.SHA256 = nil // it was for the other version
			}
			f.GoTemplate.Version, f.GoTemplate.Disabled = v, false
			return "goTemplate.version"
		}},
		{"INSTALL_GO_TEMPLATE_BINARY", "false leaves go-template out", func(f *File, v string) string {
			f.GoTemplate.Disabled = false
			if v == "false" {
				f.GoTemplate.disable()
			}
			return "goTemplate"
		}},
		{"UNIFIED_PIPELINE", "true leaves go-template out", func(f *File, v string) string {
			if v == "true" {
				f.GoTemplate.disable()
			}
			return "goTemplate"
		}},
		{verifyArg, "how far images are checked: static, full or off", func(*File, string) string {
			return "verify"
		}},
		{LockedArg, "true refuses what is not in the lock file", func(*File, string) string {
			return "locked"
		}},
		{"SAMFORGE_KIND", "kind of the images", func(f *File, v string) string {
			f.Kind = v
			return "kind"
		}},
		{"SAMFORGE_SERVERLESS_LOCK", "npm lock of the framework, a path in the build context", func(f *File, v string) string {
			f.Serverless.Lock = v
			return "serverless.lock"
		}},
		{"SAMFORGE_MIRRORS", "mirrors, as FROM=TO pairs separated by commas", func(f *File, v string) string {
			if f.Mirrors == nil {
				f.Mirrors = Mirrors{}
			}
			for pair := range strings.SplitSeq(v, ",") {
				if from, to, _ := strings.Cut(pair, "="); from != "" {
					f.Mirrors[from] = to
				}
			}
			return "mirrors"
		}},
	}
}

// firstNode is the node image of the first runtime, which stays where the
// runtime image alone is replaced.
func firstNode(f *File) string {
	if len(f.Runtimes) == 0 {
		return ""
	}
	return f.Runtimes[0].Node
}

// MirrorsArg returns mirrors as the value of the SAMFORGE_MIRRORS build
// argument, which carries them through every door.
func MirrorsArg(m Mirrors) (name, value string) {
	var pairs []string
	for from, to := range m {
		pairs = append(pairs, from+"="+to)
	}
	slices.Sort(pairs)
	return "SAMFORGE_MIRRORS", strings.Join(pairs, ",")
}

// credentialArgs are arguments that must not be passed: build arguments end up in
// provenance attestations and logs.
var credentialArgs = []string{"DOCKER_USERNAME", "DOCKER_PASSWORD", "DOCKER_TOKEN"}

// apply overrides f with the build arguments, and returns the names of those
// that nothing uses.
func (d *document) apply(f *File, args map[string]string) (unused []string) {
	rest := map[string]bool{}
	for name := range args {
		rest[name] = true
	}
	for _, v := range Variables() {
		value, ok := args[v.Name]
		if !ok {
			continue
		}
		delete(rest, v.Name)
		if problem := argProblem(v.Name, value); problem != "" {
			d.fail(place{arg: v.Name}, "", "%s", problem)
			continue
		}
		path := v.set(f, value)
		d.replace(path, place{arg: v.Name})
	}
	for _, name := range slices.Sorted(maps.Keys(rest)) {
		switch {
		case slices.Contains(credentialArgs, name):
			d.fail(place{arg: name}, "", "credentials are not build arguments, which are recorded with the image: use `docker login`")
		case !predefined(name):
			unused = append(unused, name)
		}
	}
	return unused
}

func argProblem(name, value string) string {
	switch name {
	case "INSTALL_GO_TEMPLATE_BINARY", "UNIFIED_PIPELINE":
		if value != "true" && value != "false" {
			return fmt.Sprintf("expected true or false, found %q", value)
		}
	}
	if name == verifyArg && !slices.Contains([]string{VerifyStatic, VerifyFull, VerifyOff}, value) {
		return fmt.Sprintf("expected %s, %s or %s, found %q", VerifyStatic, VerifyFull, VerifyOff, value)
	}
	return ""
}

// predefined reports whether BuildKit gives the build argument a meaning of
// its own.
func predefined(name string) bool {
	switch strings.ToUpper(name) {
	case "SOURCE_DATE_EPOCH", "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY":
		return true
	}
	return strings.HasPrefix(name, "BUILDKIT_")
}
