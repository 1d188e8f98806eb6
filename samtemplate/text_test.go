package samtemplate_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// TestSecretsAreNotShown: no way of printing what was read shows the value of a parameter with
// NoEcho, given or not, in any template.
func TestSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	const canary = "canary-8d1f"
	for _, name := range []string{"orders.yaml", "nested.yaml"} {
		template := loadTestdata(t, name, nil)
		var shown strings.Builder
		log := slog.New(slog.NewTextHandler(&shown, nil))
		secrets := 0
		for _, f := range template.AllFunctions() {
			for _, v := range append(f.Args, f.Environment...) {
				if v.Value.Reveal() == canary {
					secrets++
				}
				fmt.Fprintf(&shown, "%v %+v %#v %s %q %x\n", v, v, v, v.Value, v.Value, v.Value)
				log.Info("value", "variable", v, "text", v.Value)
				if err := json.NewEncoder(&shown).Encode(v); err != nil {
					t.Fatal(err)
				}
			}
			fmt.Fprintf(&shown, "%v %+v %#v\n", f.Build, f.Build, f.Environment)
		}
		for _, warning := range template.AllWarnings() {
			fmt.Fprintln(&shown, warning)
		}
		if secrets == 0 {
			t.Errorf("%s: no value is the secret", name)
		}
		for _, form := range []string{canary, fmt.Sprintf("%x", canary)} {
			if i := strings.Index(shown.String(), form); i >= 0 {
				t.Errorf("%s: the secret is shown: %s", name, shown.String()[max(i-300, 0):i+len(form)])
			}
		}
	}
}

// TestGivenSecretsAreNotShown: the same holds for a value from the command line.
func TestGivenSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	template := "Parameters:\n  Token: {Type: String, NoEcho: true}\n" + fn("", complete+", DockerBuildArgs: {TOKEN: !Sub 'x-${Token}'}")
	f := function(t, mustLoad(t, template, map[string]string{"Token": "canary"}), "Fn")
	if text := f.Args[0].Value; text.Reveal() != "x-canary" || !text.Secret() || text.String() != "****" {
		t.Errorf("got %s, secret %t", text, text.Secret())
	}
	if warnings := f.Template().Warnings; len(warnings) != 1 || warnings[0].Rule != "SecretInBuildArg" {
		t.Errorf("got the warnings %v", warnings)
	}
}
