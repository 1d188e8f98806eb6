package llbgen_test

import (
	"errors"
	"maps"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/distribution/reference"
	digest "github.com/opencontainers/go-digest"

	"github.com/samforge/samforge/llbgen"
	"github.com/samforge/samforge/source"
)

// FuzzLoad: whatever the file, there is a plan or there are mistakes, none of them outside the
// file. A plan can be built and tagged, or there is an error.
func FuzzLoad(f *testing.F) {
	for _, seed := range []string{
		buildFile,
		buildFile + "docker: {archive: 'https://files.example.com/{{.Machine}}/docker.tgz', sha256: {amd64: abc}}\ngoTemplate: false\n",
		buildFile + "mirrors: {docker.io: mirror.example.com, 'https://a/': 'https://b/'}\nlabels: &l {a: b}\n",
		`{"kind": "sam", "plugin": {"image": "a", "version": "1"}, "runtimes": [{"image": "b:1.2.3", "name": "java21"}]}`,
		"kind: [sam]\nplugin:\n\timage: x\n",
		"runtimes: &a [*a, {<<: *a}]\r\nkind: sam\rkind: \u2028sam\u0085x: ~\n",
		"# only this\n---\n...\n",
		"# check=skip=all;experimental=OverwritesBase,x;error=true\n# syntax=a\n#check=\n" + buildFile,
	} {
		f.Add([]byte(seed), "1.1.2")
	}
	f.Fuzz(func(t *testing.T, data []byte, version string) {
		plan, err := llbgen.Load("samforge.yaml", data, map[string]string{"VERSION": version})
		if err != nil {
			var mistakes source.Diagnostics
			if !errors.As(err, &mistakes) || len(mistakes) == 0 || err.Error() == "" {
				t.Fatalf("%T is no list of mistakes: %v", err, err)
			}
			checkPlaces(t, data, mistakes)
			return
		}
		checkPlaces(t, data, plan.Warnings)
		for _, target := range plan.Targets {
			if ref, err := plan.Reference(target, "amd64", llbgen.Tagger{}); err == nil {
				checkReference(t, ref)
			}
			opt := fakeOptions(plan, "linux/amd64")
			if image, err := plan.Build(t.Context(), target, opt); err == nil {
				checkPlaces(t, data, image.Warnings)
				decode(t, image.State, opt.Platform)
			}
		}
	})
}

// lineBreak matches the line breaks of YAML.
var lineBreak = regexp.MustCompile("\r\n|[\n\r\u0085\u2028\u2029]")

func checkPlaces(t *testing.T, data []byte, diagnostics []*source.Diagnostic) {
	t.Helper()
	lines := lineBreak.Split(string(data), -1)
	for _, d := range diagnostics {
		switch {
		case d.Line == 0 && d.Column == 0:
		case d.Line < 1 || d.Line > len(lines):
			t.Errorf("line %d of %d: %v", d.Line, len(lines), d)
		case d.Column < 1 || d.Column > utf8.RuneCountInString(lines[d.Line-1])+1:
			t.Errorf("column %d of line %q: %v", d.Column, lines[d.Line-1], d)
		}
	}
}

func checkReference(t *testing.T, ref string) {
	t.Helper()
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		t.Errorf("%q is no reference: %v", ref, err)
	} else if _, tagged := named.(reference.Tagged); !tagged {
		t.Errorf("%q has no tag", ref)
	}
}

// FuzzMirrors: a mirror changes the beginning of a reference or a URL, and nothing else of it.
func FuzzMirrors(f *testing.F) {
	f.Add("public.ecr.aws", "mirror.example.com/ecr", "public.ecr.aws/sam/build-java21:1.144.0")
	f.Add("docker.io/", "localhost:5000/", "docker:28-cli")
	f.Add("docker.io/library", "localhost:5000", "docker@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
	f.Add("https://app.harness.io/", "https://files.example.com/", "https://app.harness.io/a/b?c=d,e")
	f.Add("registry-1.docker.io", "localhost:5000/", "index.docker.io/library/docker:28-cli")
	hub := regexp.MustCompile(`^(?i:docker\.io|index\.docker\.io|registry-1\.docker\.io|registry\.hub\.docker\.com)(?::443)?(/|$)`)
	f.Fuzz(func(t *testing.T, from, to, what string) {
		from = hub.ReplaceAllString(from, "docker.io$1") // as Load does
		mirrors := llbgen.Mirrors{from: to}
		if got := mirrors.URL(what); got != what {
			rest, ok := strings.CutPrefix(what, strings.TrimSuffix(from, "/"))
			if !ok || !strings.HasPrefix(rest, "/") || got != strings.TrimSuffix(to, "/")+rest {
				t.Errorf("URL(%q) = %q with %q", what, got, mirrors)
			}
		}
		if got := mirrors.Image(what); got != what {
			named, err := reference.ParseNormalizedNamed(what)
			if err != nil {
				t.Fatalf("Image(%q) = %q, which was no reference", what, got)
			}
			rest, ok := strings.CutPrefix(hub.ReplaceAllString(named.String(), "docker.io$1"), strings.TrimSuffix(from, "/"))
			if !ok || !strings.HasPrefix(rest, "/") || got != strings.TrimSuffix(to, "/")+rest {
				t.Errorf("Image(%q) = %q with %q", what, got, mirrors)
			}
		}
		if strings.ContainsAny(from, ",=") || strings.Contains(to, ",") {
			return // no build argument can carry it
		}
		name, value := llbgen.MirrorsArg(mirrors)
		plan, err := llbgen.Load("", []byte(buildFile), map[string]string{name: value})
		if err == nil && from != "" && !maps.Equal(plan.File.Mirrors, mirrors) {
			t.Errorf("%s=%s arrives as %q", name, value, plan.File.Mirrors)
		}
	})
}

// FuzzTagTemplate: whatever the template, the reference is legal or there is an error.
func FuzzTagTemplate(f *testing.F) {
	for _, seed := range []string{
		llbgen.SAMTag, "{{.Target}}-{{.Timestamp}}", "", "latest", "-{{.Version}}", "{{.Node}}", "{{", "a\n", strings.Repeat("a", 129),
		`{{printf "%s" .Arch}}`, "{{range .}}{{.}}{{end}}",
	} {
		f.Add(seed, "amd64")
		f.Add(seed, "")
	}
	f.Fuzz(func(t *testing.T, template, arch string) {
		plan, err := llbgen.Load("", []byte(buildFile), nil)
		if err != nil {
			t.Fatal(err)
		}
		if ref, err := plan.Reference(plan.Targets[0], arch, llbgen.Tagger{Template: template}); err == nil {
			checkReference(t, ref)
		}
	})
}

// FuzzLockfile: a lock file can be read after it is written, whatever is locked.
func FuzzLockfile(f *testing.F) {
	for _, key := range []string{
		"https://files.example.com/go-template", "https://files.example.com/a: b", "https://files.example.com/a #b", "https://files.example.com/a?b=c&d=#e:",
		"docker.io/library/docker:28.5.2-cli", "<<", "null", "- a", "'", "\"", "a\nb: c", "{{.Arch}}", "\u0085\u2028", "",
	} {
		f.Add(key, "samforge.lock")
	}
	f.Add("a", "a\nb: c.lock")
	f.Fuzz(func(t *testing.T, key, name string) {
		if !utf8.ValidString(key) || key == "<<" {
			t.Skip("no build file gives it")
		}
		sum := digest.FromString("content")
		before := llbgen.NewLockfile(name)
		before.Images[key] = map[string]digest.Digest{"digest": sum, "linux/amd64": sum}
		before.Downloads[key], before.Packages[key] = sum, sum
		after, err := llbgen.ParseLockfile(name, before.Marshal())
		if err != nil {
			t.Fatalf("%v\n%s", err, before.Marshal())
		}
		if changes := before.Diff(after); len(changes) > 0 || len(after.Images) != 1 || len(after.Downloads) != 1 || len(after.Packages) != 1 {
			t.Errorf("%q is read as %v\n%s", key, changes, before.Marshal())
		}
	})
}

// FuzzParseLockfile: whatever the file, there is a lock that can be written and read again, or
// there are mistakes, none of them outside of the file.
func FuzzParseLockfile(f *testing.F) {
	sum := digest.FromString("content").String()
	for _, seed := range []string{
		"version: 1\nimages:\n  docker.io/library/docker:28-cli:\n    digest: " + sum + "\n    linux/amd64: " + sum + "\ndownloads:\n  https://files.example.com/a: " + sum + "\n",
		"version: 1\npackages:\n  serverless@3.39.0: " + sum + "\n", "version: 2\n", "version: 1\nimages: {a: {b: c}}\n", "{}", "", "images: &a {<<: *a}\n",
		"version: 1\nimages: {a: [" + sum + "]}\n", "version: 1\ndownloads: {a: " + strings.ToUpper(sum) + "}\n", "version: 1\npackages: {? [a] : b}\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		lock, err := llbgen.ParseLockfile("samforge.lock", data)
		if err != nil {
			var mistakes source.Diagnostics
			if !errors.As(err, &mistakes) || len(mistakes) == 0 || err.Error() == "" {
				t.Fatalf("%T is no list of mistakes: %v", err, err)
			}
			checkPlaces(t, data, mistakes)
			return
		}
		again, err := llbgen.ParseLockfile("samforge.lock", lock.Marshal())
		if err != nil {
			t.Fatalf("%v\n%s", err, lock.Marshal())
		}
		if changes := lock.Diff(again); len(changes) > 0 {
			t.Errorf("it is read again with the changes %v\n%s", changes, lock.Marshal())
		}
	})
}
