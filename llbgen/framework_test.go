package llbgen_test

import (
	"errors"
	"io/fs"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"

	"github.com/samforge/samforge/source"
)

// frameworkFile returns a build file with a framework, without anything to warn about.
func frameworkFile(framework string) string {
	return strings.Replace(serverlessFile("python3.12", "nodejs20.x", "goTemplate: false\n"), "version: 3.39.0", framework, 1)
}

const withLock = "version: 3.39.0, lock: package-lock.json"

func TestLocksOfTheBuildContextThatCannotWork(t *testing.T) {
	t.Parallel()
	const package1 = `{"version": "1.0.0", "integrity": "` + sum + `", `
	for name, c := range map[string]struct{ lock, platform, want string }{
		"it is for another version": {
			lockOf(`"serverless": "3.38.0"`, locked("serverless", "3.38.0")), "linux/amd64",
			`samforge.yaml:4:37: serverless.lock: package-lock.json: the lock asks for serverless "3.38.0" and holds "3.38.0", but "3.39.0" is to be installed; make a lock`,
		},
		"it is no lock": {
			"lockfileVersion: 3", "linux/amd64",
			"samforge.yaml:4:37: serverless.lock: package-lock.json: line 1 is not JSON",
		},
		"a package is for one architecture only": {
			framework(`"node_modules/@a/b": ` + package1 + `"cpu": ["x64"]}`), "linux/arm64",
			"samforge.yaml:4:37: serverless.lock: package-lock.json needs packages that are not made for linux/arm64 with glibc (@a/b@1.0.0): use versions that are, or leave them out",
		},
		"packages are for other systems": {
			framework(`"node_modules/b": `+package1+`"libc": ["musl"]}`, `"node_modules/a": `+package1+`"os": ["win32"]}`), "linux/amd64",
			"not made for linux/amd64 with glibc (a@1.0.0, b@1.0.0)",
		},
		"a package that is marked as optional, and the framework needs it": {
			lockOf(`"serverless": "3.39.0"`, frameworkOn(`"dependencies": {"a": "1.0.0"}`), `"node_modules/a": `+package1+`"os": ["darwin"], "optional": true}`), "linux/amd64",
			"not made for linux/amd64 with glibc (a@1.0.0)",
		},
		"the framework needs a newer Node.js": {
			lockOf(`"serverless": "3.39.0"`, `"node_modules/serverless": {"version": "3.39.0", "integrity": "`+sum+`", "engines": {"node": ">=22"}}`), "linux/amd64",
			"samforge.yaml:8:11: runtimes[0].node: serverless 3.39.0 needs Node.js 22 or later, and nodejs20.x has 20",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan := load(t, frameworkFile(withLock), nil)
			opt := fakeOptions(plan, c.platform)
			withFile("package-lock.json", c.lock)(&opt)
			_, err := plan.Build(t.Context(), plan.Targets[1], opt)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is\n%v\nwant one that tells\n%s", err, c.want)
			}
			if _, err := plan.Build(t.Context(), plan.Targets[0], opt); err != nil {
				t.Errorf("the image without the framework needs no lock, and cannot be built: %v", err)
			}
		})
	}
}

func TestALockThatCannotBeRead(t *testing.T) {
	t.Parallel()
	plan := load(t, frameworkFile(withLock), nil)
	_, err := plan.Build(t.Context(), plan.Targets[1], fakeOptions(plan, "linux/amd64"))
	var at *source.Diagnostic
	if !errors.As(err, &at) || at.Field != "serverless.lock" || at.Line != 4 || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the error is %v", err)
	}
}

// The lock of the build context is used instead of the one that samforge carries.
func TestALockOfTheBuildContext(t *testing.T) {
	t.Parallel()
	lock := framework(
		`"node_modules/a": {"version": "1.0.0", "integrity": "`+sum+`", "engines": {"node": ">=22"}}`,
		`"node_modules/fsevents": {"version": "2.3.3", "integrity": "`+sum+`", "os": ["darwin"], "optional": true}`)
	plan := load(t, frameworkFile(withLock), nil)
	opt := fakeOptions(plan, "linux/arm64")
	withFile("package-lock.json", lock)(&opt)
	image := build(t, plan, opt)
	if len(image.Warnings) != 1 || image.Warnings[0].Message != "1 packages of serverless 3.39.0 want another Node.js than nodejs20.x's, a@1.0.0 among them" {
		t.Errorf("the warnings are %v", image.Warnings)
	}
	text := graphText(decode(t, image.State, opt.Platform))
	for _, want := range []string{"npm ci serverless@3.39.0", "--os=linux --libc=glibc --cpu=arm64", `exec "check that serverless@3.39.0 runs on linux/arm64"`} {
		if !strings.Contains(text, want) {
			t.Errorf("the graph does not tell %q:\n%s", want, text)
		}
	}
}

func TestVerifyOffTakesAnyLock(t *testing.T) {
	t.Parallel()
	lock := framework(`"node_modules/a": {"version": "1.0.0", "integrity": "` + sum + `", "os": ["darwin"], "engines": {"node": ">=22"}}`)
	plan := load(t, frameworkFile(withLock), map[string]string{"SAMFORGE_VERIFY": "off"})
	opt := fakeOptions(plan, "linux/amd64")
	withFile("package-lock.json", lock)(&opt)
	image := build(t, plan, opt)
	if len(image.Warnings) > 0 {
		t.Errorf("the warnings are %v", image.Warnings)
	}
	if text := graphText(decode(t, image.State, opt.Platform)); strings.Contains(text, "check.cjs") {
		t.Errorf("what npm installed is checked:\n%s", text)
	}
}

func TestAVersionWithoutALock(t *testing.T) {
	t.Parallel()
	plan := load(t, frameworkFile("version: 3.37.0"), nil)
	opt := fakeOptions(plan, "linux/amd64")
	warnings := build(t, plan, opt).Warnings
	if len(warnings) != 1 || warnings[0].Field != "serverless.version" || warnings[0].Line != 4 {
		t.Fatalf("the warnings are %v", warnings)
	}
	for _, want := range []string{"not reproducible", "use 3.40.0 or 3.39.0 or 3.38.0", "serverless.lock", "serverless@3.37.0`"} {
		if !strings.Contains(warnings[0].Message, want) {
			t.Errorf("the warning does not tell %q: %s", want, warnings[0].Message)
		}
	}
	base, err := plan.Build(t.Context(), plan.Targets[0], opt)
	if err != nil || len(base.Warnings) > 0 {
		t.Errorf("the image without the framework: %v, %v", base, err)
	}
}

// The caller chooses how steps run. Checks have no network all the same.
func TestStepsRunAsTheCallerSays(t *testing.T) {
	t.Parallel()
	plan := load(t, frameworkFile(withLock), map[string]string{"SAMFORGE_VERIFY": "full"})
	opt := fakeOptions(plan, "linux/amd64")
	withFile("package-lock.json", framework())(&opt)
	opt.Run = []llb.RunOption{llb.Network(pb.NetMode_HOST), llb.AddExtraHost("npm.example.com", net.IPv4(10, 0, 0, 1))}
	opt.CacheNamespace = "team"
	image := build(t, plan, opt)
	states := []llb.State{image.State}
	for _, c := range image.Checks {
		states = append(states, c.State)
	}
	npm, checks := 0, 0
	for _, state := range states {
		for _, v := range decode(t, state, opt.Platform) {
			exec := v.op.GetExec()
			if exec == nil {
				continue
			}
			if len(exec.Meta.ExtraHosts) != 1 {
				t.Errorf("%s has the hosts %v", v.name, exec.Meta.ExtraHosts)
			}
			switch exec.Network {
			case pb.NetMode_HOST:
				npm++
				if !slices.ContainsFunc(exec.Mounts, func(m *pb.Mount) bool { return m.CacheOpt.GetID() == "team/samforge-npm" }) {
					t.Errorf("%s has the mounts %v", v.name, exec.Mounts)
				}
			case pb.NetMode_NONE:
				checks++
			default:
				t.Errorf("%s has the network %s", v.name, exec.Network)
			}
		}
	}
	if npm == 0 || checks == 0 {
		t.Errorf("%d steps of npm, %d checks", npm, checks)
	}
}

// sum is the sha512 of nothing.
const sum = "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg=="

// lockOf is a lock whose root depends on dependencies.
func lockOf(dependencies string, entries ...string) string {
	all := append([]string{`"": {"dependencies": {` + dependencies + `}}`}, entries...)
	return `{"lockfileVersion": 3, "packages": {` + strings.Join(all, ", ") + `}}`
}

// framework returns a lock of serverless 3.39.0 and more packages.
func framework(entries ...string) string {
	return lockOf(`"serverless": "3.39.0"`, append(entries, locked("serverless", "3.39.0"))...)
}

func locked(name, version string) string {
	return `"node_modules/` + name + `": {"version": "` + version + `", "integrity": "` + sum + `"}`
}

// frameworkOn returns the entry of serverless 3.39.0 with its dependencies.
func frameworkOn(dependencies string) string {
	return `"node_modules/serverless": {"version": "3.39.0", "integrity": "` + sum + `", ` + dependencies + `}`
}
