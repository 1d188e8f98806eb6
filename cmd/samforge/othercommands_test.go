package main

import (
	"strings"
	"testing"
)

func TestUnknownCommands(t *testing.T) {
	for line, want := range map[string]string{
		"bild":            `unknown command "bild" (see samforge --help): did you mean build?`,
		"run":             "samforge invoke runs a function",
		"local invoke":    "samforge invoke and samforge start-api",
		"clean":           "samforge prune",
		"lint":            "samforge check",
		"validate":        "samforge check",
		"deploy":          "samforge package",
		"push":            "samforge build --push",
		"frobnicate":      `unknown command "frobnicate" (see samforge --help)`,
		"help nope":       `unknown command "nope" (see samforge --help)`,
		"completion tcsh": `unknown command "tcsh" (see samforge completion --help)`,
	} {
		if _, err := execute(strings.Fields(line)...); codeOf(err) != exitInput || !strings.Contains(err.Error(), want) {
			t.Errorf("samforge %s: %v, want %s", line, err, want)
		}
	}
	for _, line := range []string{"help", "help build", "help completion bash", "completion", "completion bash"} {
		if out, err := execute(strings.Fields(line)...); err != nil || out == "" {
			t.Errorf("samforge %s: %v", line, err)
		}
	}
}
