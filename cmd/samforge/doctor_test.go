package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/samforge/samforge/internal/doctor"
)

func TestDoctorRefusesBadInput(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"--format xml":                                               `--format "xml": use text or json`,
		"--registry https://registry.example/x":                      "expected a host or an image",
		"--builder tcp://ci:hunter2@b:1":                             "has a user or a password in it",
		"--registry r.example.com --mount-from r.example.com/base:1": "--mount-from needs --registry with an image",
		"--registry r.example.com/app --mount-from r.example.com":    "expected an image",
		"now": "takes no arguments",
	} {
		root := newRoot()
		root.SetArgs(append([]string{"doctor"}, strings.Fields(args)...))
		err := root.ExecuteContext(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) || exitCode(err) != exitInput {
			t.Errorf("%s: got %v, want exit code 2 and %s", args, err, want)
		}
	}
}

func TestDoctorFailsOnlyForProblems(t *testing.T) {
	t.Parallel()
	for level, want := range map[doctor.Level]error{doctor.OK: nil, doctor.Warning: nil, doctor.Problem: errFindings} {
		var out bytes.Buffer
		c := &cobra.Command{}
		c.SetOut(&out)
		found := []doctor.Finding{{Check: "disk", Level: level, Detail: "much"}}
		if err := printDoctor(c, "json", found); err != want {
			t.Errorf("%s: got %v, want %v", level, err, want)
		}
		var got []doctor.Finding
		if err := json.Unmarshal(out.Bytes(), &got); err != nil || len(got) != 1 || got[0].Level != level {
			t.Errorf("%s: got %s", level, out.String())
		}
	}
}

// What a build takes from the files with defaults, doctor takes too.
func TestDoctorReadsDefaults(t *testing.T) {
	t.Setenv("BUILDKIT_HOST", "")
	for name, c := range map[string]struct{ repository, user, want string }{
		"a builder":                              {"", "builder: [tcp://127.0.0.1:1]\n", "connect to the builder tcp://127.0.0.1:1"},
		"a mistake in those of the repository":   {"lable: [a=b]\n", "builder: [tcp://127.0.0.1:1]\n", `samforge.defaults.yaml:1:1: unknown key "lable"`},
		"a builder's address that cannot be one": {"", "builder: [nope]\n", `"nope" is not the address of a builder`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(filepath.Dir(defaultsIn(t, c.repository, c.user)))
			out, err := execute("doctor", "--format", "json")
			if !errors.Is(err, errFindings) || !strings.Contains(out, strings.ReplaceAll(c.want, `"`, `\"`)) {
				t.Errorf("%v, %s", err, out)
			}
		})
	}
}
