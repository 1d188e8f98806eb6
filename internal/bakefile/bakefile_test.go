package bakefile

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/samforge/samforge/internal/project"
)

func TestServe(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		question string
		fail     error
		answer   string // a part of it
		err      string
	}{
		"images and notes":                    {question: `{"Files": ["a.hcl"]}`, answer: `"Images":[{"Name":"a.hcl"`},
		"a mistake in a file is an answer":    {question: `{"Files": ["a.hcl"]}`, fail: errors.New("a.hcl:1: no"), answer: `"Images":null,"Notes":null,"Error":"a.hcl:1: no"`},
		"a field of a newer samforge":         {question: `{"Folder": "b"}`, err: `unknown field "Folder"`},
		"what is not a question of samforge:": {question: "build", err: "no question of samforge"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			err := Serve(t.Context(), strings.NewReader(c.question), &out, func(_ context.Context, d Definition) ([]project.Dockerfile, error) {
				d.Note("left out")
				return []project.Dockerfile{{Name: d.Files[0]}}, c.fail
			})
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Fatalf("the error is %v", err)
			}
			if !strings.Contains(out.String(), c.answer) {
				t.Errorf("the answer is %s", out.String())
			}
		})
	}
}

// TestRead asks programs that answer badly, and one that answers well.
func TestRead(t *testing.T) {
	for name, c := range map[string]struct {
		program string // a shell script; empty if there is none
		err     string
	}{
		"no program":               {err: "go install github.com/samforge/samforge/cmd/samforge-bake@latest"},
		"a program that fails":     {program: "echo broken >&2; exit 3", err: "exit status 3: broken"},
		"one of another release":   {program: `cat >/dev/null; echo '{"Pictures": []}'`, err: "install both from one"},
		"an answer":                {program: `cat >/dev/null; echo '{"Images": [{"Name": "a", "Args": {"A": "b"}}], "Notes": ["left out"], "Error": ""}'`},
		"a question and a mistake": {program: `grep -q '"Files":\["a.hcl"\]' && echo '{"Error": "a.hcl:1: no"}'`, err: "a.hcl:1: no"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			if c.program != "" {
				if err := os.WriteFile(filepath.Join(folder, Program), []byte("#!/bin/sh\n"+c.program+"\n"), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			t.Setenv("PATH", folder+":/usr/bin:/bin")
			var notes []string
			images, err := Read(t.Context(), Definition{Files: []string{"a.hcl"}, Note: func(sentence string) { notes = append(notes, sentence) }})
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) || errors.Is(err, ErrNoProgram) == strings.HasPrefix(c.err, "a.hcl") {
					t.Errorf("the error is %v", err)
				}
				return
			}
			want := []project.Dockerfile{{Name: "a", Args: map[string]string{"A": "b"}}}
			if err != nil || !reflect.DeepEqual(images, want) || !reflect.DeepEqual(notes, []string{"left out"}) {
				t.Errorf("%+v, %q, %v", images, notes, err)
			}
		})
	}
}
