// Package rules has what the lint rules of samforge.yaml and of SAM templates have in common: the
// rules by name, and the directive that says which of them count.
package rules

import (
	"slices"
	"strings"
)

// Rule is one thing that samforge advises against although it can be built. Rules are turned off
// and on like those for a Dockerfile: https://docs.docker.com/build/checks/
type Rule struct {
	// Name is what the check directive calls it.
	Name string `json:"name"`
	// Description says in a sentence what is right.
	Description string `json:"description"`
	// Experimental is true for a rule that is off by default, because its findings are often
	// intended.
	Experimental bool `json:"experimental"`
	// Dated is true for a rule that finds more as time goes by, in a file that nobody has changed.
	Dated bool `json:"dated"`
	// Files are the sorts of build files that the rule is about: [BuildFile], [Template] or both.
	Files []string `json:"files"`
}

// The sorts of build files.
const (
	BuildFile = "samforge.yaml"
	Template  = "SAM template"
)

// The names of the rules.
const (
	UnpinnedBase       = "UnpinnedBase"
	UnofficialBase     = "UnofficialBase"
	RuntimeEndOfLife   = "RuntimeEndOfLife"
	UnknownRuntime     = "UnknownRuntime"
	UnknownPair        = "UnknownPair"
	LargeNodeImage     = "LargeNodeImage"
	OverwritesBase     = "OverwritesBase"
	UnverifiedDownload = "UnverifiedDownload"
	OldDockerCLI       = "OldDockerCLI"
	OldGoTemplate      = "OldGoTemplate"
	SecretInBuildArg   = "SecretInBuildArg"
	UnusedBuildArg     = "UnusedBuildArg"
	TagDropsVersion    = "TagDropsVersion"
	UnknownRule        = "UnknownRule"
	WrongArchitecture  = "WrongArchitecture"
	RelativeEntrypoint = "RelativeEntrypoint"
	RefusedAttestation = "RefusedAttestation"
	NumericDockerTag   = "NumericDockerTag"
	LocalZipCode       = "LocalZipCode"
)

// All returns all rules, in the order of docs/rules.md.
func All() []Rule {
	buildFile, template := []string{BuildFile}, []string{Template}
	both := []string{BuildFile, Template}
	return []Rule{
		{Name: UnpinnedBase, Files: both, Description: "Images are named by a tag that does not move, or by a digest"},
		{Name: UnofficialBase, Files: buildFile, Description: "Runtime and node images come from AWS's gallery, or from a mirror of it"},
		{Name: RuntimeEndOfLife, Files: both, Dated: true, Description: "AWS still maintains the runtime"},
		{Name: UnknownRuntime, Files: buildFile, Description: "The runtime is one that samforge knows"},
		{Name: UnknownPair, Files: buildFile, Description: "Runtime image, node image and framework are known to go together"},
		{Name: LargeNodeImage, Files: buildFile, Description: "Node.js comes from a Lambda base image, where a SAM image would be pulled for it alone"},
		{Name: OverwritesBase, Files: buildFile, Description: "No layer replaces files of the base image", Experimental: true},
		{Name: UnverifiedDownload, Files: buildFile, Description: "Downloads are checked against a known checksum"},
		{Name: OldDockerCLI, Files: buildFile, Description: "Docker Engine 29 rejects Docker CLIs older than 25"},
		{Name: OldGoTemplate, Files: buildFile, Description: "go-template has its security fixes"},
		{Name: SecretInBuildArg, Files: both, Description: "Build arguments hold no secrets"},
		{Name: UnusedBuildArg, Files: buildFile, Description: "Every build argument has a meaning"},
		{Name: TagDropsVersion, Files: buildFile, Description: "The version in the tags is that of the plugin image, with nothing left out"},
		{Name: UnknownRule, Files: both, Description: "The check directive names rules that exist"},
		{Name: WrongArchitecture, Files: template, Description: "The base image is for the architecture of the function"},
		{Name: RelativeEntrypoint, Files: template, Description: "Lambda starts a program by its absolute path"},
		{Name: RefusedAttestation, Files: template, Description: "The image of a function has no attestations"},
		{Name: NumericDockerTag, Files: template, Description: "A tag that looks like a number is in quotes"},
		{Name: LocalZipCode, Files: template, Description: "The code of every function is an image, or in S3"},
	}
}

// For returns the rules about a sort of build file.
func For(file string) []Rule {
	return slices.DeleteFunc(All(), func(r Rule) bool { return !slices.Contains(r.Files, file) })
}

// URL is where the rule is explained: why, and how to fix what it finds.
func (r Rule) URL() string {
	return "https://github.com/samforge/samforge/blob/main/docs/rules.md#" + strings.ToLower(r.Name)
}

// Named returns the rule of that name, or the zero Rule.
func Named(name string) Rule {
	all := All()
	i := slices.IndexFunc(all, func(r Rule) bool { return r.Name == name })
	if i < 0 {
		return Rule{}
	}
	return all[i]
}

// names returns the names of the rules about a sort of build file.
func names(file string) []string {
	var names []string
	for _, r := range For(file) {
		names = append(names, r.Name)
	}
	return names
}
