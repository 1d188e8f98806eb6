package llbgen_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/samforge/samforge/llbgen"
	"github.com/samforge/samforge/source"
)

const (
	lockedBase   = "public.ecr.aws/sam/build-nodejs22.x:1.144.0-20250911030138"
	goTemplateAt = "https://app.harness.io/public/shared/tools/go-template/release/v0.4.15/bin/linux/amd64/go-template"
)

// lockfileOf returns the lock file for the stand-ins of the build file.
func lockfileOf(t *testing.T, file string) *llbgen.Lockfile {
	t.Helper()
	plan := load(t, file, nil)
	lock := llbgen.NewLockfile("samforge.lock")
	for _, target := range plan.Targets {
		image, err := plan.Build(t.Context(), target, withManifests(fakeOptions(plan, "linux/amd64")))
		if err != nil {
			t.Fatal(err)
		}
		for _, in := range image.Inputs {
			lock.Add(in)
		}
	}
	return lock
}

// withManifests resolves images to a digest for the platform too.
func withManifests(opt llbgen.Options) llbgen.Options {
	withBase(func(image *llbgen.SourceImage) {
		image.Manifest = digest.FromString(image.Name + " for " + image.Config.Architecture)
	})(&opt)
	return opt
}

func TestLockfileOfABuildFile(t *testing.T) {
	t.Parallel()
	lock := lockfileOf(t, serverlessFile("python3.12", "nodejs20.x", ""))
	again, err := llbgen.ParseLockfile("samforge.lock", lock.Marshal())
	if err != nil {
		t.Fatalf("%v in\n%s", err, lock.Marshal())
	}
	if changes := lock.Diff(again); len(changes) > 0 {
		t.Errorf("what is written is read as something else: %v", changes)
	}
	if string(again.Marshal()) != string(lock.Marshal()) {
		t.Error("the same lock has another text")
	}
	for _, want := range []string{"\n  public.ecr.aws/sam/build-python3.12:", "\n  public.ecr.aws/sam/build-nodejs20.x:", "\n    digest: sha256:", "\n    linux/amd64: sha256:", "\n  " + goTemplateAt + ": sha256:", "\n  serverless@3.39.0: sha256:"} {
		if !strings.Contains(string(lock.Marshal()), want) {
			t.Errorf("there is no %q in\n%s", want, lock.Marshal())
		}
	}
}

func TestLockfileMistakes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"nothing":            {"", `samforge.lock: version: missing, so samforge did not write this file, or not all of it: delete it and run samforge lock`},
		"from the future":    {"version: 2\n", `samforge.lock:1:10: version: found "2", and this samforge reads version 1: upgrade samforge, or delete the file and run samforge lock`},
		"an unknown key":     {"version: 1\nimage: {}\n", `unknown key "image"`},
		"no digest":          {"version: 1\ndownloads:\n  https://example.com/a: latest\n", `samforge.lock:3:26: downloads.https://example.com/a: "latest" is not a digest`},
		"cut off":            {"version: 1\nimages:\n  a:1:\n    digest: sha256:0123", `"sha256:0123" is not a digest`},
		"cut off in a key":   {"version: 1\nimages:\n  a:1", "expected"},
		"marks of a merge":   {"version: 1\n<<<<<<< ours\n", "samforge.lock has a conflict of a merge: take one side, or delete the file, and run samforge lock"},
		"another checksum's": {"version: 1\npackages:\n  a@1: sha512:" + strings.Repeat("0", 128), "is not a digest"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := llbgen.ParseLockfile("samforge.lock", []byte(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

// A build follows its lock file, and names what is not in it or differs.
func TestBuildWithLockfile(t *testing.T) {
	t.Parallel()
	sls := serverlessFile("python3.12", "nodejs20.x", "")
	other := digest.FromString("something else")
	for name, c := range map[string]struct {
		file   string
		locked bool
		change func(*llbgen.Lockfile)
		want   string // the error or a warning; empty for neither
	}{
		"all is there": {file: sls, locked: true},
		"an image is not": {
			file: buildFile, locked: true,
			change: func(l *llbgen.Lockfile) { delete(l.Images, lockedBase) },
			want:   "samforge.yaml:7:12: runtimes[0].image: --locked, and samforge.lock does not have " + lockedBase + " for linux/amd64: run samforge lock",
		},
		"a platform of an image is not": {
			file: buildFile, locked: true,
			change: func(l *llbgen.Lockfile) { delete(l.Images[lockedBase], "linux/amd64") },
			want:   "does not have " + lockedBase + " for linux/amd64",
		},
		"a download is not": {
			file: buildFile, locked: true,
			change: func(l *llbgen.Lockfile) { delete(l.Downloads, goTemplateAt) },
			want:   "--locked, and samforge.lock does not have " + goTemplateAt,
		},
		"a package is not": {
			file: sls, locked: true,
			change: func(l *llbgen.Lockfile) { delete(l.Packages, "serverless@3.39.0") },
			want:   "samforge.yaml:4:23: serverless.version: --locked, and samforge.lock does not have serverless@3.39.0",
		},
		"an image is not, and need not be": {
			file:   buildFile,
			change: func(l *llbgen.Lockfile) { delete(l.Images, lockedBase) },
			want:   "samforge.lock does not have " + lockedBase + " for linux/amd64, so its current state is used: run samforge lock",
		},
		"another checksum than the build file's": {
			file:   buildFile + "goTemplate: {sha256: {amd64: " + strings.Repeat("a", 64) + "}}\n",
			change: func(l *llbgen.Lockfile) { l.Downloads[goTemplateAt] = other },
			want:   "samforge.lock has " + other.String() + " for " + goTemplateAt + ", and the checksum in the build file is sha256:aaaa",
		},
		"another npm lock": {
			file:   sls,
			change: func(l *llbgen.Lockfile) { l.Packages["serverless@3.39.0"] = other },
			want:   "samforge.lock has " + other.String() + " for serverless@3.39.0, and its npm lock is sha256:",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lock := lockfileOf(t, c.file)
			if c.change != nil {
				c.change(lock)
			}
			args := map[string]string{}
			if c.locked {
				args[llbgen.LockedArg] = "true"
			}
			plan, err := llbgen.Load("samforge.yaml", []byte(c.file), args, llbgen.WithLockfile(lock))
			if err != nil {
				t.Fatal(err)
			}
			opt := withManifests(fakeOptions(plan, "linux/amd64"))
			opt.Checksum = nil
			var said []string
			image, err := plan.Build(t.Context(), plan.Targets[len(plan.Targets)-1], opt)
			if err != nil {
				said = append(said, err.Error())
			} else {
				for _, w := range image.Warnings {
					said = append(said, w.Summary())
				}
			}
			got := strings.Join(said, "\n")
			if !strings.Contains(got, c.want) || (c.want == "") != (got == "") {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// Images are resolved with what is locked.
func TestPins(t *testing.T) {
	t.Parallel()
	lock := lockfileOf(t, buildFile)
	plan, err := llbgen.Load("samforge.yaml", []byte(buildFile), nil, llbgen.WithLockfile(lock))
	if err != nil {
		t.Fatal(err)
	}
	var pins []llbgen.Pin
	opt := fakeOptions(plan, "linux/amd64")
	opt.Resolve = recordPins(&pins, opt.Resolve)
	if _, err := plan.Build(t.Context(), plan.Targets[0], opt); err != nil {
		t.Fatal(err)
	}
	if len(pins) != 3 { // base, plugin and the Docker CLI
		t.Fatalf("%d images were resolved, want 3", len(pins))
	}
	for _, pin := range pins {
		if pin.Digest == "" || pin.Manifest == "" {
			t.Errorf("an image was resolved without its digests: %v", pin)
		}
	}
}

func TestLockedWithoutLockfile(t *testing.T) {
	t.Parallel()
	plan := load(t, buildFile, map[string]string{llbgen.LockedArg: "true"})
	_, err := plan.Build(t.Context(), plan.Targets[0], fakeOptions(plan, "linux/amd64"))
	if err == nil || !strings.Contains(err.Error(), "--locked, and there is no samforge.lock: make it with samforge lock, and commit it") {
		t.Errorf("got %v", err)
	}
	var mistakes source.Diagnostics
	_, err = llbgen.Load("samforge.yaml", []byte(buildFile), map[string]string{llbgen.LockedArg: "perhaps"})
	if !errors.As(err, &mistakes) || !strings.Contains(err.Error(), `"perhaps" is neither true nor false`) {
		t.Errorf("got %v", err)
	}
}

func TestLockfileDiff(t *testing.T) {
	t.Parallel()
	before, after := lockfileOf(t, buildFile), lockfileOf(t, buildFile)
	moved := digest.FromString("moved")
	after.Images[lockedBase]["linux/amd64"] = moved
	delete(after.Downloads, goTemplateAt)
	after.Packages["osls@4.3.1"] = moved
	want := []llbgen.Change{
		{Name: goTemplateAt, Before: before.Downloads[goTemplateAt]},
		{Name: "osls@4.3.1", After: moved},
		{Name: lockedBase + " (linux/amd64)", Before: before.Images[lockedBase]["linux/amd64"], After: moved},
	}
	got := before.Diff(after)
	if len(got) != len(want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got %v, want %v", got[i], want[i])
		}
	}
}
