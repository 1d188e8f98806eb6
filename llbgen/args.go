package llbgen

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/samforge/samforge/internal/placeholder"
	"github.com/samforge/samforge/source"
)

// Variable is a build argument that gives or overrides a value of the build file. The names are
// those that the published pipelines use.
type Variable struct {
	Name string
	// Help says in a few words what the value is.
	Help string

	// set writes the value into the file and returns the path it set.
	set func(f *File, value string) (path string)
	// get returns the path of the value for a target, and the value.
	get func(p *Plan, t Target) (path, value string)
}

// verifyArg is the build argument that says how far images are checked.
const verifyArg = "SAMFORGE_VERIFY"

// kindArg is the kind of the images.
const kindArg = "SAMFORGE_KIND"

// LockedArg is the build argument that makes the lock file binding: what is not in it is an error.
const LockedArg = "SAMFORGE_LOCKED"

// Variables returns the build arguments of all kinds, in the order in which they are applied.
func Variables() []Variable {
	all := commonVariables()
	for _, k := range kinds() {
		for _, v := range k.variables() {
			if !slices.ContainsFunc(all, func(other Variable) bool { return other.Name == v.Name }) {
				all = append(all, v)
			}
		}
	}
	return all
}

// EnvironmentArgs returns the values of an environment for the build arguments that the kind of a
// build file has and that args do not give: a CI system sets the variables of all its pipelines.
// env returns the value of a variable, "" for none. Where the kind is not known, all are returned.
func EnvironmentArgs(data []byte, args map[string]string, env func(name string) string) map[string]string {
	file := newFile()
	source.New("", data, syntax()).Decode(&file) // its mistakes are reported by Load
	variables := Variables()
	if k, ok := kindNamed(cmp.Or(args[kindArg], env(kindArg), file.Kind)); ok {
		variables = slices.Concat(commonVariables(), k.variables())
	}
	found := map[string]string{}
	for _, v := range variables {
		_, given := args[v.Name]
		if value := env(v.Name); value != "" && !given {
			found[v.Name] = value
		}
	}
	return found
}

// commonVariables are the build arguments that every kind has.
func commonVariables() []Variable {
	return slices.Concat(imageVariables(), toolVariables(), switchVariables())
}

// imageVariables are about the plugin and the repository.
func imageVariables() []Variable {
	return []Variable{
		{
			Name: "HARNESS_BASE_IMAGE", Help: "plugin image",
			set: func(f *File, v string) string {
				f.Plugin.Image = v
				return "plugin.image"
			},
			get: func(p *Plan, _ Target) (string, string) {
				return "plugin.image", p.File.Plugin.Image
			},
		},
		{
			Name: "VERSION", Help: "plugin version, a part of every tag",
			set: func(f *File, v string) string {
				f.Plugin.Version = v
				return "plugin.version"
			},
			get: func(p *Plan, _ Target) (string, string) {
				return "plugin.version", p.File.Plugin.Version
			},
		},
		{
			Name: "TARGET_REPO", Help: "repository the images are tagged in",
			set: func(f *File, v string) string {
				f.Repo = v
				return "repo"
			},
			get: func(p *Plan, _ Target) (string, string) {
				return "repo", p.File.Repo
			},
		},
	}
}

// toolVariables are about the programs that every image has.
func toolVariables() []Variable {
	return []Variable{
		{
			Name: "DOCKER_VERSION", Help: "version of the Docker CLI",
			set: func(f *File, v string) string {
				archive, same := f.Docker.Archive, f.Docker.Version == v
				switch {
				case !placeholder.Uses(archive, "Version"):
					f.Docker = Docker{Version: v} // the official image takes the place of what was named
				case !same:
					f.Docker = Docker{Version: v, Archive: archive} // the checksums were of another version
				}
				return "docker.version"
			},
			get: func(p *Plan, _ Target) (string, string) {
				return "docker.version", p.File.Docker.Version
			},
		},
		{
			Name: "HARNESS_GO_PLUGIN_VERSION", Help: "version of go-template",
			set: func(f *File, v string) string {
				if f.GoTemplate.Version != v {
					f.GoTemplate.SHA256 = nil // it was for the other version
				}
				f.GoTemplate.Version, f.GoTemplate.Disabled = v, false
				return "goTemplate.version"
			},
			get: func(p *Plan, _ Target) (string, string) {
				return "goTemplate.version", p.File.GoTemplate.Version
			},
		},
		{
			Name: "INSTALL_GO_TEMPLATE_BINARY", Help: "false leaves go-template out",
			set: func(f *File, v string) string {
				f.GoTemplate.Disabled = false
				if v == "false" {
					f.GoTemplate.Disable()
				}
				return "goTemplate"
			},
			get: func(p *Plan, _ Target) (string, string) {
				return "goTemplate", strconv.FormatBool(!p.File.GoTemplate.Disabled)
			},
		},
		{
			Name: "UNIFIED_PIPELINE", Help: "true leaves go-template out",
			set: func(f *File, v string) string {
				if v == "true" {
					f.GoTemplate.Disable()
				}
				return "goTemplate"
			},
			get: func(*Plan, Target) (string, string) {
				return "", ""
			},
		},
	}
}

// switchVariables are about the build itself.
func switchVariables() []Variable {
	return []Variable{
		{
			Name: verifyArg, Help: "how far images are checked: static, full or off",
			set: func(*File, string) string {
				return "verify"
			},
			get: func(p *Plan, _ Target) (string, string) {
				return "", p.Verify
			},
		},
		{
			Name: LockedArg, Help: "true refuses what is not in the lock file",
			set: func(*File, string) string {
				return "locked"
			},
			get: func(*Plan, Target) (string, string) {
				return "", ""
			},
		},
		{
			Name: kindArg, Help: "kind of the images",
			set: func(f *File, v string) string {
				f.Kind = v
				return "kind"
			},
			get: func(p *Plan, _ Target) (string, string) {
				return "kind", p.File.Kind
			},
		},
		{
			Name: "SAMFORGE_MIRRORS", Help: "mirrors, as FROM=TO pairs separated by commas",
			set: func(f *File, v string) string {
				if f.Mirrors == nil {
					f.Mirrors = Mirrors{}
				}
				for pair := range strings.SplitSeq(v, ",") {
					if from, to, _ := strings.Cut(pair, "="); from != "" {
						f.Mirrors[from] = to
					}
				}
				return "mirrors"
			},
			get: func(p *Plan, _ Target) (string, string) {
				_, mirrors := MirrorsArg(p.File.Mirrors)
				return "mirrors", mirrors
			},
		},
	}
}

// MirrorsArg returns mirrors as the value of the SAMFORGE_MIRRORS build argument, which carries
// them through every door.
func MirrorsArg(m Mirrors) (name, value string) {
	var pairs []string
	for from, to := range m {
		pairs = append(pairs, from+"="+to)
	}
	slices.Sort(pairs)
	return "SAMFORGE_MIRRORS", strings.Join(pairs, ",")
}

// credentialArgs are arguments that must not be passed: build arguments end up in provenance
// attestations and logs.
var credentialArgs = []string{"DOCKER_USERNAME", "DOCKER_PASSWORD", "DOCKER_TOKEN"}

// apply overrides values of the build file by the build arguments. It returns the names of those
// that nothing uses.
func (p *Plan) apply(args map[string]string) (unused []string) {
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
			p.doc.ErrorAt(source.Position{Arg: v.Name}, "", "%s", problem)
			continue
		}
		path := v.set(&p.File, value)
		p.replace(path, source.Position{Arg: v.Name})
	}
	for _, name := range slices.Sorted(maps.Keys(rest)) {
		switch {
		case slices.Contains(credentialArgs, name):
			p.doc.ErrorAt(source.Position{Arg: name}, "", "credentials are not build arguments, which are recorded with the image: use `docker login`")
		case !predefined(name):
			unused = append(unused, name)
		}
	}
	return unused
}

// replace records that the value at path, and all below it, came from a build argument. An image
// replaces its whole list.
func (p *Plan) replace(path string, at source.Position) {
	if entry, field, inList := strings.Cut(path, "]."); inList && field == "image" {
		list, _, _ := strings.Cut(entry, "[")
		p.doc.Forget(list + "[")
		p.doc.Set(entry+"]", at)
	}
	p.doc.Set(path, at)
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

// predefined reports whether BuildKit itself gives the build argument a meaning.
func predefined(name string) bool {
	switch strings.ToUpper(name) {
	case EpochArg, "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY":
		return true
	}
	return strings.HasPrefix(name, "BUILDKIT_")
}
