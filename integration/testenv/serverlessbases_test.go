package testenv

import (
	"debug/elf"
	"io"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/buildkit/client/llb"
)

// in runs a shell script in an image with the image's own environment, which BuildKit leaves to its
// caller.
func in(t *testing.T, image v1.Image, state llb.State, script string, options ...llb.RunOption) llb.ExecState {
	t.Helper()
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	for _, variable := range append(config.Config.Env, "HOME=/root") {
		key, value, _ := strings.Cut(variable, "=")
		state = state.AddEnv(key, value)
	}
	return state.Run(append(options, llb.Args([]string{"/bin/bash", "-ec", script}))...)
}

// runs fails the test unless the script succeeds, or fails with a message.
func runs(t *testing.T, b *Buildkitd, run llb.ExecState, failure string) {
	t.Helper()
	err := solve(t.Context(), b, run.Root(), "")
	switch {
	case failure == "" && err != nil:
		t.Error(err)
	case failure != "" && (err == nil || !strings.Contains(err.Error(), failure)):
		t.Errorf("the step ended with %v, want a failure with %q", err, failure)
	}
}

func serverlessBasesOf(t *testing.T) Set {
	t.Helper()
	set, err := ServerlessBases(t.Context(), ServerlessOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestServerlessBasesRun(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]BuildkitdOptions{"rootful": {}, "rootless": {Rootless: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env, set := New(t, Options{Buildkitd: options}), serverlessBasesOf(t)
			npm, err := StartNPMRegistry(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			closeAfter(t, npm)
			const node, lambda, python = Node20Base + "-x86_64", Lambda20Base + "-x86_64", Python312Base + "-x86_64"
			for _, ref := range []string{node, lambda, python} {
				pushed(t, env.Registry, ref, set[ref]...)
			}
			const nodeWorks = `
				[ "$(command -v node)" = /var/lang/bin/node ] && [ "$(node --version)" = v20.20.2 ] && [ "$(npm --version)" = 10.8.2 ]
				python3 -c 'import ssl'`
			runs(t, env.Buildkitd, in(t, set[node][0], llb.Image(node), nodeWorks), "")
			runs(t, env.Buildkitd, in(t, set[lambda][0], llb.Image(lambda), nodeWorks+"; ! command -v tar; ! command -v find; ! command -v sam"), "")
			runs(t, env.Buildkitd, in(t, set[python][0], llb.Image(python), `
				[ "$(command -v python3)" = /var/lang/bin/python3 ] && python3 -c 'import ssl; assert ssl.OPENSSL_VERSION.startswith("OpenSSL 3.0")'
				sam --version && aws --version`), "")

			app := llb.Image(node).File(llb.Mkdir("/app", 0o755).
				Mkfile("/app/package.json", 0o644, []byte(tinyPackage)).
				Mkfile("/app/package-lock.json", 0o644, []byte(tinyLock)))
			runs(t, env.Buildkitd, in(t, set[node][0], app, "npm ci --ignore-scripts && node -e 'require(\"once\")'",
				llb.Dir("/app"), llb.AddEnv("npm_config_registry", npm.URL())), "")
			if npm.Tarballs() != 3 || npm.Hits("/@tootallnate/once") != 1 {
				t.Errorf("npm ci asked for %d archives, and %d times for the scoped package, want 3 and 1", npm.Tarballs(), npm.Hits("/@tootallnate/once"))
			}
		})
	}
}

const tinyPackage = `{"name": "tiny", "version": "1.0.0", "dependencies": {"once": "1.4.0", "@tootallnate/once": "2.0.0"}}`

// tinyLock has no addresses, like the locks of samforge.
const tinyLock = `{
  "name": "tiny", "version": "1.0.0", "lockfileVersion": 3,
  "packages": {
    "": {"name": "tiny", "version": "1.0.0", "dependencies": {"once": "1.4.0", "@tootallnate/once": "2.0.0"}},
    "node_modules/@tootallnate/once": {"version": "2.0.0", "integrity": "sha512-XCuKFP5PS55gnMVu3dty8KPatLqUoy/ZYzDzAGCQ8JNFCkLXzmI7vNHCR+XpbZaMWQK/vQubr7PkYq8g470J/A=="},
    "node_modules/once": {"version": "1.4.0", "integrity": "sha512-lNaJgI+2Q5URQBkccEKHTQOPaXdUxnZZElQTZY0MFUAuaEqe1E+Nyvgdz/aIyNi6Z9MzO5dv1H8n58/GELp3+w==", "dependencies": {"wrappy": "1"}},
    "node_modules/wrappy": {"version": "1.0.2", "integrity": "sha512-l4Sp/DRseor9wL6EvV2+TuQn63dMkPjZ/sp9XkghTEbV9KlPS1xUsZ3u7/IQO4wxtcFB4bgpQPRcR3QCvezPcQ=="}
  }
}`

func TestTooNewNodeNeedsTheLibrariesOfItsImage(t *testing.T) {
	t.Parallel()
	env, set := New(t, Options{}), serverlessBasesOf(t)
	node, err := TooNewNode(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pushed(t, env.Registry, TooNewNodeBase, node[TooNewNodeBase]...)
	pushed(t, env.Registry, Java17Base, set[Java17Base][0])
	runs(t, env.Buildkitd, in(t, node[TooNewNodeBase][0], llb.Image(TooNewNodeBase), "node --version && npm --version"), "")

	language := llb.Scratch().File(llb.Copy(llb.Image(TooNewNodeBase), "/var/lang", "/var/lang", &llb.CopyInfo{CreateDestPath: true, CopyDirContentsOnly: true}))
	both := llb.Merge([]llb.State{llb.Image(Java17Base), language})
	runs(t, env.Buildkitd, in(t, set[Java17Base][0], both, "java -version"), "")
	runs(t, env.Buildkitd, in(t, set[Java17Base][0], both, "node --version"), "`GLIBC_2.38' not found")
}

func TestForeignOpenSSLBreaksThePythonOfTheSystem(t *testing.T) {
	t.Parallel()
	env, set := New(t, Options{}), serverlessBasesOf(t)
	libraries, err := OpenSSL(t.Context(), "trixie", "amd64")
	if err != nil {
		t.Fatal(err)
	}
	image, err := Image(ImageOptions{Arch: "amd64", Layers: []Layer{libraries}})
	if err != nil {
		t.Fatal(err)
	}
	pushed(t, env.Registry, Node22Base, image)
	pushed(t, env.Registry, Python312Base, set[Python312Base][0])
	both := llb.Merge([]llb.State{llb.Image(Python312Base), llb.Image(Node22Base)})
	runs(t, env.Buildkitd, in(t, set[Python312Base][0], both, "python3 -c 'import ssl'"), "/var/lang/lib/libcrypto.so.3")
	runs(t, env.Buildkitd, in(t, set[Python312Base][0], both, "LD_LIBRARY_PATH= python3 -c 'import ssl'"), "")
}

func TestDebianRootsAreTwoGenerationsWithoutDevices(t *testing.T) {
	t.Parallel()
	for release, libc := range map[string]string{"bullseye": "libc-2.31.so", "bookworm": "libc.so.6"} {
		root, err := DebianRoot(t.Context(), release, systemPackages...)
		if err != nil {
			t.Fatal(err)
		}
		files := output(t, "tar", "--list", "--verbose", "--gzip", "--file", root.kept.path)
		for _, want := range []string{"/x86_64-linux-gnu/" + libc + "\n", " ./bin -> usr/bin\n", "/libstdc++.so.6\x20"} {
			if !strings.Contains(files, want) {
				t.Errorf("%s has no %q", release, want)
			}
		}
		for line := range strings.Lines(files) {
			if line[0] == 'b' || line[0] == 'c' {
				t.Errorf("%s has a device: %s", release, line)
			}
		}
	}
}

func TestNodeRuntimeOfArm64(t *testing.T) {
	t.Parallel()
	node, err := NodeRuntime(t.Context(), "18.20.8", "arm64")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"var/lang/bin/node", "var/lang/lib/libcrypto.so.3", "var/lang/lib/libssl.so.3"} {
		program := output(t, "tar", "--extract", "--to-stdout", "--gzip", "--file", node.kept.path, name)
		if file, err := elf.NewFile(strings.NewReader(program)); err != nil || file.Machine != elf.EM_AARCH64 {
			t.Errorf("%s is not for arm64: %v", name, err)
		}
	}
	files := output(t, "tar", "--list", "--verbose", "--gzip", "--file", node.kept.path)
	for _, name := range []string{"npm", "npx"} {
		if want := "var/lang/bin/" + name + " -> ../lib/node_modules/npm/bin/" + name + "-cli.js\n"; !strings.Contains(files, want) {
			t.Errorf("there is no %q", want)
		}
	}
}

func TestServerlessBasesExistForBothArchitectures(t *testing.T) {
	t.Parallel()
	set := serverlessBasesOf(t)
	for _, base := range serverlessBases {
		for i, arch := range []string{"amd64", "arm64"} {
			index, single := set[base.ref], set[base.ref+archSuffix(arch)]
			if len(index) != 2 || len(single) != 1 || index[i] != single[0] {
				t.Fatalf("%s: %d members, %d for %s alone", base.ref, len(index), len(single), arch)
			}
			config, err := single[0].ConfigFile()
			if err != nil {
				t.Fatal(err)
			}
			if config.Architecture != arch || !slices.Contains(config.Config.Env, "SAM_CLI_VERSION="+samOptions(base.ref, "").SAMVersion) {
				t.Errorf("%s for %s says %s, %s", base.ref, arch, config.Architecture, config.Config.Env)
			}
			if lambda, ok := lambdaBases[base.ref]; ok {
				wantSameLanguage(t, set[lambda+archSuffix(arch)][0], single[0])
			}
		}
	}
}

// wantSameLanguage fails the test unless the SAM image begins with the layers of the
// Lambda base image, /var/lang among them, and adds nothing there.
func wantSameLanguage(t *testing.T, lambda, sam v1.Image) {
	t.Helper()
	below, err := lambda.Layers()
	if err != nil {
		t.Fatal(err)
	}
	above, err := sam.Layers()
	if err != nil {
		t.Fatal(err)
	}
	has := func(layers []v1.Layer, dir string) (digests []string) {
		for _, l := range layers {
			files := output(t, "tar", "--list", "--gzip", "--file", l.(*layer).path)
			if strings.Contains(files, dir) {
				digest, _ := l.Digest()
				digests = append(digests, digest.String())
			}
		}
		return digests
	}
	const dir = "var/lang/"
	if got, want := has(above, dir), has(below, dir); !slices.Equal(got, want) || len(want) == 0 {
		t.Errorf("the SAM image has %s in the layers %s, the Lambda base image in %s", dir, got, want)
	}
	config, err := lambda.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if len(config.History) != 0 || !slices.Equal(config.Config.Entrypoint, []string{"/lambda-entrypoint.sh"}) {
		t.Errorf("the Lambda base image has the history %v and the entrypoint %s", config.History, config.Config.Entrypoint)
	}
}

func writeOnce(count chan<- struct{}) func(io.Writer) error {
	return func(out io.Writer) error {
		count <- struct{}{}
		_, err := out.Write(make([]byte, 1024)) // an empty tar file
		return err
	}
}

func TestKeptLayerIsMadeOnce(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	made := make(chan Layer, 8)
	count := make(chan struct{}, 8)
	for range cap(made) {
		go func() {
			l, err := keptLayer(t.Context(), "test", nil, writeOnce(count))
			if err != nil {
				t.Error(err)
			}
			made <- l
		}()
	}
	first := <-made
	for range cap(made) - 1 {
		if other := <-made; other.kept == nil || other.kept.meta != first.kept.meta {
			t.Error("two that asked at once got different layers")
		}
	}
	if len(count) != 1 {
		t.Errorf("the layer was made %d times, want once", len(count))
	}
}
