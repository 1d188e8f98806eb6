package lambda

import "strings"

// Rule is one thing that Lambda wants of an image.
type Rule struct {
	// Name identifies the rule.
	Name string
	// Description says in a sentence what is right.
	Description string
}

// The rules.
var (
	RuleManifest   = Rule{"LambdaManifest", "A function's image is one manifest, in Docker's or the OCI's format"}
	RuleLayers     = Rule{"LambdaLayers", "Every layer is compressed with gzip"}
	RulePlatform   = Rule{"LambdaPlatform", "The image is for Linux and for the function's architecture"}
	RuleSize       = Rule{"LambdaSize", "The uncompressed image has at most 10 GB"}
	RuleEntryPoint = Rule{"LambdaEntryPoint", "ENTRYPOINT is the absolute path of a program"}
	RuleSettings   = Rule{"LambdaSettings", "The image's settings have at most 16 KB, the function's environment at most 4 KB"}
)

// Rules returns all rules, in the order of docs/lambda.md.
func Rules() []Rule {
	return []Rule{RuleManifest, RuleLayers, RulePlatform, RuleSize, RuleEntryPoint, RuleSettings}
}

// URL is where the rule is explained: why, and how to fix what it finds.
func (r Rule) URL() string {
	return "https://github.com/samforge/samforge/blob/main/docs/lambda.md#" + strings.ToLower(r.Name)
}

// Level says how certain it is that Lambda refuses an image.
type Level string

const (
	// Error is the level of a finding that makes Lambda refuse the image, or the function fail.
	Error Level = "error"
	// Warning is the level of a finding that often makes a function fail, or that AWS advises
	// against.
	Warning Level = "warning"
)

// Finding is one way in which an image differs from what Lambda wants.
type Finding struct {
	Rule  Rule
	Level Level
	// Message names the property of the image and how to fix it, in one sentence.
	Message string
}
