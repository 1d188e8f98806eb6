package samtemplate

import (
	"slices"
	"strings"
)

// Extra is what DockerBuildExtraParams say beside build arguments and the stage, which are among the
// function's own: flags of `docker buildx build` for one function.
type Extra struct {
	Labels []Variable
	// NoCache is true if every step runs each time.
	NoCache bool
	// Secrets, SSH, CacheFrom and CacheTo are values of the flags with these names.
	Secrets, SSH, CacheFrom, CacheTo []Text
	// Attests are flags that ask for attestations, as one text each: --provenance=mode=max.
	Attests []Text
	// Unused are flags that mean nothing to a build of samforge.
	Unused []Text
}

// extraFlags are the flags with a value.
var extraFlags = []string{
	"--attest", "--build-arg", "--cache-from", "--cache-to", "--label", "--progress", "--provenance", "--sbom", "--secret", "--ssh", "--target",
}

// harmlessFlags change nothing.
var harmlessFlags = []string{"--load", "--progress", "--pull", "--quiet", "-q", "--rm"}

// setExtra reads DockerBuildExtraParams, in the forms --flag=value and --flag value.
func (f *Function) setExtra(params []Text) {
	for i := 0; i < len(params); i++ {
		param := params[i]
		name, value, given := strings.Cut(param.Reveal(), "=")
		valued := slices.Contains(extraFlags, name)
		if valued && !given && i+1 < len(params) {
			i++
			value = params[i].Reveal()
		}
		text := Text{plain: value, At: param.At}
		switch name {
		case "--build-arg":
			f.setArg(text)
		case "--target":
			f.Target = text
		case "--label":
			key, value, _ := strings.Cut(value, "=")
			f.Extra.Labels = append(f.Extra.Labels, Variable{key, Text{plain: value, At: param.At}})
		case "--no-cache":
			f.Extra.NoCache = value != "false"
		case "--secret":
			f.Extra.Secrets = append(f.Extra.Secrets, text)
		case "--ssh":
			f.Extra.SSH = append(f.Extra.SSH, text)
		case "--cache-from":
			f.Extra.CacheFrom = append(f.Extra.CacheFrom, text)
		case "--cache-to":
			f.Extra.CacheTo = append(f.Extra.CacheTo, text)
		case "--attest", "--provenance", "--sbom":
			if value != "false" && !strings.Contains(value, "disabled=true") {
				f.Extra.Attests = append(f.Extra.Attests, Text{plain: name + "=" + value, At: param.At})
			}
		default:
			if !slices.Contains(harmlessFlags, name) {
				f.Extra.Unused = append(f.Extra.Unused, param)
			}
		}
	}
}

// setArg sets a build argument from NAME=VALUE. As in docker, a name alone takes the value from the
// environment, which a template does not know.
func (f *Function) setArg(param Text) {
	name, value, given := strings.Cut(param.plain, "=")
	if !given {
		f.Extra.Unused = append(f.Extra.Unused, Text{plain: "--build-arg " + name, At: param.At})
		return
	}
	arg := Variable{name, Text{plain: value, At: param.At}}
	if i := slices.IndexFunc(f.Args, func(other Variable) bool { return other.Name == name }); i >= 0 {
		f.Args[i] = arg
		return
	}
	f.Args = append(f.Args, arg)
}
