package llbgen

import "github.com/samforge/samforge/internal/rules"

// Rule is one thing that samforge advises against although it can be built.
type Rule = rules.Rule

// The names of the rules.
const (
	RuleUnpinnedBase       = rules.UnpinnedBase
	RuleUnofficialBase     = rules.UnofficialBase
	RuleRuntimeEndOfLife   = rules.RuntimeEndOfLife
	RuleUnknownRuntime     = rules.UnknownRuntime
	RuleUnknownPair        = rules.UnknownPair
	RuleLargeNodeImage     = rules.LargeNodeImage
	RuleOverwritesBase     = rules.OverwritesBase
	RuleUnverifiedDownload = rules.UnverifiedDownload
	RuleOldDockerCLI       = rules.OldDockerCLI
	RuleOldGoTemplate      = rules.OldGoTemplate
	RuleSecretInBuildArg   = rules.SecretInBuildArg
	RuleUnusedBuildArg     = rules.UnusedBuildArg
	RuleTagDropsVersion    = rules.TagDropsVersion
	RuleUnknownRule        = rules.UnknownRule
)

// Rules returns the rules about a build file, in the order of docs/rules.md.
func Rules() []Rule { return rules.For(rules.BuildFile) }

// RuleNamed returns the rule of that name, or the zero Rule.
func RuleNamed(name string) Rule { return rules.Named(name) }
