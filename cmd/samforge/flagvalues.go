package main

// Values of flags that are refused before they become something else: the error then names the flag,
// or the line of a file with defaults.

import (
	"fmt"
	"strings"

	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/llbgen"
)

// flagProblem says what is wrong with a value of a flag, or "".
func flagProblem(flag, value string) string {
	key, rest, pair := strings.Cut(value, "=")
	switch flag {
	case "label":
		if !pair || key == "" {
			return fmt.Sprintf("%q: expected KEY=VALUE", value)
		}
	case "mirror":
		if !pair || key == "" {
			return fmt.Sprintf("%q: expected FROM=TO", value)
		}
		return llbgen.MirrorProblem(key, rest)
	case "platform":
		if _, err := project.ParsePlatforms([]string{value}); err != nil {
			return strings.TrimPrefix(err.Error(), "--platform ")
		}
	case "provenance", "sbom":
		example := map[string]string{"provenance": "mode=max", "sbom": "generator=IMAGE"}[flag]
		if value != "" && value != "true" && value != "false" && !pair {
			return fmt.Sprintf("%q: use true, false, or attributes such as %s", value, example)
		}
	}
	return ""
}

// checkValues returns an error for the first value that is wrong.
func (f *buildFlags) checkValues() error {
	for _, given := range []struct {
		flag   string
		values []string
	}{{"provenance", []string{f.provenance}}, {"sbom", []string{f.sbom}}, {"mirror", f.mirrors}, {"label", f.labels}} {
		for _, value := range given.values {
			if problem := flagProblem(given.flag, value); problem != "" {
				return fmt.Errorf("--%s: %s", given.flag, problem)
			}
		}
	}
	return nil
}
