package printer

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// written returns what is written to standard error in a CI system.
func written(t *testing.T, in Workflow, write func(out *File)) string {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	secrets := &Secrets{Workflow: in}
	secrets.Add("hunter22")
	write(&File{file, secrets, true})
	data, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestWorkflow(t *testing.T) {
	t.Parallel()
	section := regexp.MustCompile(`\d{10,}`)
	for name, c := range map[string]struct {
		in    Workflow
		write func(out *File)
		want  string
	}{
		"a group on GitHub":                   {GitHub, func(out *File) { Group(out, "build")() }, "::group::build\n::endgroup::\n"},
		"a group on GitLab":                   {GitLab, func(out *File) { Group(out, "build")() }, "\x1b[0Ksection_start:N:samforge_N[collapsed=true]\r\x1b[0Kbuild\n\x1b[0Ksection_end:N:samforge_N\r\x1b[0K\n"},
		"a group elsewhere":                   {"", func(out *File) { Group(out, "build")() }, ""},
		"an error on GitHub":                  {GitHub, func(out *File) { Error(out, Place{"a,b:c.yaml", 3, 7}, "kind: 100% wrong\n  here") }, "::error title=samforge,file=a%2Cb%3Ac.yaml,line=3,col=7::kind: 100%25 wrong%0A  here\n"},
		"an error elsewhere":                  {GitLab, func(out *File) { Error(out, Place{"a.yaml", 3, 7}, "wrong") }, "samforge: wrong\n"},
		"a warning on GitHub":                 {GitHub, func(out *File) { _, _ = io.WriteString(out, "WARNING: old hunter22\n") }, "::warning title=samforge::old ***\n"},
		"a warning with a place":              {GitHub, func(out *File) { _, _ = io.WriteString(out, "samforge: WARNING: a.yaml:3:7: old\n") }, "::warning title=samforge,file=a.yaml,line=3,col=7::old\n"},
		"a warning elsewhere":                 {"", func(out *File) { _, _ = io.WriteString(out, "WARNING: old\n") }, "WARNING: old\n"},
		"a command in the text of others":     {GitHub, func(out *File) { _, _ = io.WriteString(out, "said:\n ::set-output name=a::b and ##[add-mask]c\n") }, "said:\n \\x3a:set-output name=a::b and #\\x23[add-mask]c\n"},
		"a command in an error":               {GitHub, func(out *File) { Error(out, Place{}, "said\n::stop-commands::x") }, "::error title=samforge::said%0A\\x3a:stop-commands::x\n"},
		"what is a command on GitHub only":    {GitLab, func(out *File) { _, _ = io.WriteString(out, "::set-output name=a::b\n") }, "::set-output name=a::b\n"},
		"a section in the text of others":     {GitLab, func(out *File) { _, _ = io.WriteString(out, "\x1b[0Ksection_start:1:a\r\x1b[0Kb\n") }, "\\x1b[0Ksection_start:1:a\n\\x1b[0Kb\n"},
		"text with two colons inside of line": {GitHub, func(out *File) { _, _ = io.WriteString(out, "a::b\n") }, "a::b\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := section.ReplaceAllString(written(t, c.in, c.write), "N"); got != c.want {
				t.Errorf("got %q\nwant %q", got, c.want)
			}
		})
	}
}
