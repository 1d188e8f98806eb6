package llbgen

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
}

// The names of the rules.
const (
	RuleUnpinnedBase       = "UnpinnedBase"
	RuleUnofficialBase     = "UnofficialBase"
	RuleRuntimeEndOfLife   = "RuntimeEndOfLife"
	RuleUnknownRuntime     = "UnknownRuntime"
	RuleUnknownPair        = "UnknownPair"
	RuleLargeNodeImage     = "LargeNodeImage"
	RuleOverwritesBase     = "OverwritesBase"
	RuleUnverifiedDownload = "UnverifiedDownload"
	RuleOldDockerCLI       = "OldDockerCLI"
	RuleOldGoTemplate      = "OldGoTemplate"
	RuleSecretInBuildArg   = "SecretInBuildArg"
	RuleUnusedBuildArg     = "UnusedBuildArg"
	RuleTagDropsVersion    = "TagDropsVersion"
	RuleUnknownRule        = "UnknownRule"
)

// Rules returns all rules, in the order of docs/rules.md.
func Rules() []Rule {
	return []Rule{
		{Name: RuleUnpinnedBase, Description: "Images are named by a tag that does not move, or by a digest"},
		{Name: RuleUnofficialBase, Description: "Runtime and node images come from AWS's gallery, or from a mirror of it"},
		{Name: RuleRuntimeEndOfLife, Description: "AWS still maintains the runtime"},
		{Name: RuleUnknownRuntime, Description: "The runtime is one that samforge knows"},
		{Name: RuleUnknownPair, Description: "Runtime image, node image and framework are known to go together"},
		{Name: RuleLargeNodeImage, Description: "Node.js comes from a Lambda base image, where a SAM image would be pulled for it alone"},
		{Name: RuleOverwritesBase, Description: "No layer replaces files of the base image", Experimental: true},
		{Name: RuleUnverifiedDownload, Description: "Downloads are checked against a known checksum"},
		{Name: RuleOldDockerCLI, Description: "Docker Engine 29 rejects Docker CLIs older than 25"},
		{Name: RuleOldGoTemplate, Description: "go-template has its security fixes"},
		{Name: RuleSecretInBuildArg, Description: "Build arguments hold no secrets"},
		{Name: RuleUnusedBuildArg, Description: "Every build argument has a meaning"},
		{Name: RuleTagDropsVersion, Description: "The version in the tags is that of the plugin image, with nothing left out"},
		{Name: RuleUnknownRule, Description: "The check directive names rules that exist"},
	}
}

// URL is where the rule is explained: why, and how to fix what it finds.
func (r Rule) URL() string {
	return "https://github.com/samforge/samforge/blob/main/docs/rules.md#" + strings.ToLower(r.Name)
}

// RuleNamed returns the rule of that name, or the zero Rule.
func RuleNamed(name string) Rule {
	rules := Rules()
	i := slices.IndexFunc(rules, func(r Rule) bool { return r.Name == name })
	if i < 0 {
		return Rule{}
	}
	return rules[i]
}

func ruleNames() []string {
	var names []string
	for _, r := range Rules() {
		names = append(names, r.Name)
	}
	return names
}
