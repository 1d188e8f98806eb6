package lambda

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// config is the part of an image config that matters to Lambda. Of its settings, Lambda uses
// ENTRYPOINT, CMD, WORKDIR and ENV.
type config struct {
	OS           string               `json:"os"`
	Architecture string               `json:"architecture"`
	Config       ocispecs.ImageConfig `json:"config"`
}

// architectures are the architectures of functions, and the OCI's names for them.
var architectures = map[string]string{"x86_64": "amd64", "arm64": "arm64"}

// platformOf returns the platform of a function's image, such as linux/amd64.
func platformOf(architecture string) string {
	return "linux/" + cmp.Or(architectures[architecture], architecture)
}

// ArchitectureOf returns the architecture of a function whose image is for a platform, such as
// x86_64 for linux/amd64. ok is false if Lambda does not have it.
func ArchitectureOf(os, architecture string) (_ string, ok bool) {
	for name, oci := range architectures {
		if os == "linux" && architecture == oci {
			return name, true
		}
	}
	return "", false
}

// wanted returns the platform to build a function's image for, in a sentence.
func wanted(f Function) string {
	if f.Architecture == "" {
		return "linux/amd64 or linux/arm64"
	}
	return platformOf(f.Architecture)
}

func (found *findings) checkPlatform(c config, f Function) {
	architecture, ok := ArchitectureOf(c.OS, c.Architecture)
	switch {
	case c.OS == "" || c.Architecture == "":
		found.add(RulePlatform, Warning, "the image config does not name the operating system and the architecture: build the image with --platform %s", wanted(f))
	case !ok:
		found.add(RulePlatform, Error, "the image is for %.40q, which Lambda does not have: build it with --platform %s", c.OS+"/"+c.Architecture, wanted(f))
	case f.Architecture != "" && f.Architecture != architecture:
		found.add(RulePlatform, Error, "the image is for linux/%s and the function for %s: build the image with --platform %s, or set the function's Architectures to [%s]",
			c.Architecture, f.Architecture, wanted(f), architecture)
	}
}

// The quotas. AWS writes "MB (rather than MiB) to refer to 1,024 KB", and "10 GiB" in the error.
const (
	maxSize        = 10 << 30 // of all layers together: "maximum uncompressed image size, including all layers"
	maxSettings    = 16 << 10 // "Container image settings size"
	maxEnvironment = 4 << 10  // "for all environment variables associated with the function, in aggregate"
)

func (found *findings) checkSize(size int64) {
	if size > maxSize {
		const mb = 1 << 20
		found.add(RuleSize, Error, "the image has at least %d MB uncompressed, and Lambda takes at most 10 GB (%d MB): leave out what the function does not need, for example with a multi-stage build",
			(size+mb-1)/mb, maxSize/mb)
	}
}

// shells are the programs that a Dockerfile's ENTRYPOINT without brackets usually starts.
var shells = []string{"sh", "ash", "bash", "dash", "zsh"}

// checkEntryPoint judges the program that starts.
func (found *findings) checkEntryPoint(c ocispecs.ImageConfig, f Function) {
	entry, where := c.Entrypoint, "ENTRYPOINT"
	if len(f.EntryPoint) > 0 {
		entry, where = f.EntryPoint, "EntryPoint of ImageConfig"
	}
	switch {
	case f.Unresolved:
	case len(entry) == 0 && len(c.Cmd) == 0 && len(f.Command) == 0:
		found.add(RuleEntryPoint, Error, "the image has no ENTRYPOINT and no CMD, so nothing would start: set ENTRYPOINT in the Dockerfile, or EntryPoint in the function's ImageConfig")
	case len(entry) > 0: // otherwise CMD is the program and its arguments
		if level, problem := EntryPointProblem(entry, where); problem != "" {
			found.add(RuleEntryPoint, level, "%s", problem)
		}
	}
}

// EntryPointProblem returns what is wrong with an entry point, which is at least one text, and how
// certain that is; "" if nothing is. where names the setting. AWS documents an absolute path and no
// link, and a manifest does not tell links. A name without a slash, which is found by PATH, is a
// warning only: many published functions start python3 or aws_lambda_ric so.
func EntryPointProblem(entry []string, where string) (Level, string) {
	switch {
	case isShellForm(entry):
		return Warning, fmt.Sprintf(`%s is in the shell form, so that %s starts first and CMD is ignored: write it in the exec form, ["/path/of/program"]`, where, entry[0])
	case strings.HasPrefix(entry[0], "/"):
		return "", ""
	case entry[0] != "" && !strings.Contains(entry[0], "/"):
		return Warning, fmt.Sprintf("%s starts %.100q, which is searched in PATH, and AWS asks for an absolute path: write the whole path", where, entry[0])
	}
	return Error, fmt.Sprintf("%s starts %.100q, and Lambda takes only an absolute path: write the whole path, beginning with /", where, entry[0])
}

// isShellForm reports whether an entry point is what BuildKit makes of ENTRYPOINT without brackets:
// the program and the flags of SHELL, which end with -c, and one text.
func isShellForm(entry []string) bool {
	return len(entry) > 1 && slices.Contains(shells, path.Base(entry[0])) && entry[len(entry)-2] == "-c"
}

// checkSettings counts the text of the settings. Lambda's error is "Image runtime config size is
// larger than 16 KB" (https://github.com/spring-attic/spring-native/issues/717). AWS does not say
// how it counts, so this is the least that they can have: in JSON they have more.
func (found *findings) checkSettings(c ocispecs.ImageConfig, f Function) {
	entry, command := c.Entrypoint, c.Cmd
	if len(f.EntryPoint) > 0 {
		entry = f.EntryPoint
	}
	if len(f.Command) > 0 {
		command = f.Command
	}
	size := len(cmp.Or(f.WorkingDirectory, c.WorkingDir))
	for _, text := range slices.Concat(entry, command, c.Env) {
		size += len(text)
	}
	if size > maxSettings {
		found.add(RuleSettings, Error, "ENTRYPOINT, CMD, WORKDIR and ENV have %d bytes together, and Lambda takes at most 16 KB (%d bytes): move what is long into a file of the image", size, maxSettings)
	}
}

func (found *findings) checkEnvironment(f Function) {
	if f.EnvironmentSize > maxEnvironment {
		found.add(RuleSettings, Error, "the function's environment variables have %d bytes together, and Lambda takes at most 4 KB (%d bytes): move what is long into a file of the image, or into Parameter Store", f.EnvironmentSize, maxEnvironment)
	}
}
