package llbgen_test

import (
	"strings"
	"testing"

	"github.com/samforge/samforge/llbgen"
	"github.com/samforge/samforge/npm"
)

func TestServerlessTargetsAndTags(t *testing.T) {
	t.Parallel()
	plan := load(t, serverlessFile("python3.12", "nodejs20.x", ""), nil)
	want := map[string]string{
		"python3.12-base":       "registry.example.com/ci/serverless-plugin:python3.12-1.1.0-beta",
		"python3.12-serverless": "registry.example.com/ci/serverless-plugin:python3.12-3.39.0-1.1.0-beta",
	}
	if len(plan.Targets) != len(want) {
		t.Fatalf("there are %d targets, want %d", len(plan.Targets), len(want))
	}
	for _, target := range plan.Targets {
		for arch, suffix := range map[string]string{"": "", "amd64": "-linux-amd64"} {
			ref, err := plan.Reference(target, arch, llbgen.Tagger{})
			if err != nil || ref != want[target.Name]+suffix {
				t.Errorf("the reference of %s for %q is %s, %v; want %s", target.Name, arch, ref, err, want[target.Name]+suffix)
			}
		}
	}
	for name, count := range map[string]int{"": 2, "base": 1, "serverless": 1, "python3.12": 2, "python3.12-base": 1} {
		if selected, err := plan.Select(name); err != nil || len(selected) != count {
			t.Errorf("%q selects %d targets (%v), want %d", name, len(selected), err, count)
		}
	}
}

func TestServerlessMistakes(t *testing.T) {
	t.Parallel()
	good := serverlessFile("python3.12", "nodejs20.x", "")
	for name, c := range map[string]struct{ file, want string }{
		"no node image": {
			strings.Replace(good, "    node:", "    # node:", 1),
			"samforge.yaml:6:5: runtimes[0].node: missing: name the image that Node.js is taken from",
		},
		"an unknown layout": {
			serverlessFile("python3.12", "nodejs20.x", "node: {layout: side-by-side}\n"),
			`node.layout: unknown layout "side-by-side": use merged or isolated`,
		},
		"an unknown flavor": {
			strings.Replace(good, "{version: 3.39.0}", "{version: 3.39.0, flavor: vanilla}", 1),
			`serverless.flavor: unknown flavor "vanilla": use serverless or osls`,
		},
		"a tag of npm's instead of a version": {
			strings.Replace(good, "3.39.0", "latest", 1),
			`samforge.yaml:4:23: serverless.version: "latest" is not a version such as 3.40.0`,
		},
		"a range instead of a version": {
			strings.Replace(good, "3.39.0", "3.x", 1),
			`serverless.version: "3.x" is not a version such as 3.40.0`,
		},
		"a lock outside of the build context": {
			strings.Replace(good, "3.39.0", "3.39.0, lock: ../package-lock.json", 1),
			`samforge.yaml:4:37: serverless.lock: "../package-lock.json" is not a path within the build context: give one such as package-lock.json`,
		},
		"a lock by its place on the machine": {
			strings.Replace(good, "3.39.0", "3.39.0, lock: /package-lock.json", 1),
			`serverless.lock: "/package-lock.json" is not a path within the build context`,
		},
		"the build context as a lock": {
			strings.Replace(good, "3.39.0", "3.39.0, lock: ./", 1),
			`serverless.lock: "./" is not a path within the build context`,
		},
		"a path with detours": {
			strings.Replace(good, "3.39.0", "3.39.0, lock: ./locks/../package-lock.json", 1),
			`serverless.lock: "./locks/../package-lock.json" is not in its shortest form: write package-lock.json`,
		},
		"a lock for a release archive": {
			strings.Replace(good, "3.39.0", "4.18.0, lock: package-lock.json", 1),
			"serverless.lock: belongs to an npm package; Serverless Framework 4.18.0 is a release archive, which serverless.sha256 pins",
		},
		"a checksum for an npm package": {
			strings.Replace(good, "3.39.0", "3.39.0, sha256: abc", 1),
			"serverless.sha256: belongs to version 4, which is a release archive; serverless 3.39.0 is an npm package, which serverless.lock pins",
		},
		"its fields in a SAM file": {
			strings.Replace(good, "kind: serverless", "kind: sam", 1),
			"runtimes[0].node: belongs to kind: serverless or cdk, and this is kind: sam",
		},
		"a runtime twice gives one tag": {
			good + "  - image: public.ecr.aws/sam/build-python3.12:1.144.0\n    node: public.ecr.aws/sam/build-nodejs20.x:1.142.1-20250701194712\n",
			"runtimes[1]: gives the same tag as runtimes[0] (python3.12-1.1.0-beta)",
		},
	} {
		_, err := llbgen.Load("samforge.yaml", []byte(c.file), nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: the error is\n%v\nwant one that tells\n%s", name, err, c.want)
		}
	}
}

// A flavor has its own versions, and so its own default.
func TestDefaultVersions(t *testing.T) {
	t.Parallel()
	for flavor, want := range map[string]string{"serverless": "3.40.0", "osls": "4.3.1"} {
		file := strings.Replace(serverlessFile("python3.12", "nodejs20.x", ""), "version: 3.39.0", "flavor: "+flavor, 1)
		if got := load(t, file, nil).File.Own["serverless"].(*llbgen.Serverless).Version; got != want {
			t.Errorf("%s is installed as %s, want %s", flavor, got, want)
		}
		if _, ok := npm.Embedded(flavor, want); !ok {
			t.Errorf("there is no lock of %s %s", flavor, want)
		}
	}
}

func TestALockGivenByABuildArgument(t *testing.T) {
	t.Parallel()
	args := map[string]string{"SAMFORGE_SERVERLESS_LOCK": "locks/sls.json"}
	file := strings.Replace(serverlessFile("python3.12", "nodejs20.x", ""), "3.39.0", "3.39.0, lock: package-lock.json", 1)
	if got := load(t, file, args).File.Own["serverless"].(*llbgen.Serverless).Lock; got != "locks/sls.json" {
		t.Errorf("the lock is %q", got)
	}
	_, err := llbgen.Load("samforge.yaml", []byte(buildFile), args)
	wantError(t, err, "build argument SAMFORGE_SERVERLESS_LOCK: belongs to kind: serverless, and this is kind: sam")
}
