package integration

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"debug/elf"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/samforge/samforge/integration/testenv"
	npmlock "github.com/samforge/samforge/npm"
)

// frameworkContext returns a build context for one pair, with a framework and more files.
func frameworkContext(t *testing.T, framework string, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	all := map[string]string{"samforge.yaml": `kind: serverless
plugin: {image: harness/serverless-plugin:1.1.0-beta-base-image, version: 1.1.0-beta}
serverless: {` + framework + `}
runtimes:
  - {image: '` + testenv.Python312Base + `', node: '` + testenv.Node20Base + `'}
`}
	maps.Copy(all, files)
	for name, content := range all {
		path := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte(content), 0o600))
	}
	return dir
}

// linkedContext replaces the lock in a context by a link to a lock elsewhere.
func linkedContext(t *testing.T, dir, lock string) string {
	t.Helper()
	outside := filepath.Join(t.TempDir(), "sls.json")
	must(t, os.WriteFile(outside, []byte(lock), 0o600))
	must(t, os.Mkdir(filepath.Join(dir, "locks"), 0o755))
	must(t, os.Symlink(outside, filepath.Join(dir, "locks/sls.json")))
	return dir
}

// npm installs from a lock in the build context, and nothing else of the context is sent.
func TestLockOfTheBuildContext(t *testing.T) {
	t.Parallel()
	b, npm := newServerlessBed(t, testenv.Options{}, testenv.ServerlessOptions{})
	lock, ok := npmlock.Embedded("osls", "4.3.1")
	if !ok {
		t.Fatal("there is no lock of osls 4.3.1")
	}
	args := []string{"--repo", b.repo("ci/sls"), "--target", "serverless", "--push", "--mirror", "https://registry.npmjs.org/=" + npm.URL() + "/"}
	dir := frameworkContext(t, "version: 4.3.1, flavor: osls, lock: locks/osls.json", map[string]string{
		"locks/osls.json": string(lock.Data),
		"other/file":      strings.Repeat("not to be sent ", 1<<20),
	})
	r := b.build(append(args, dir)...)
	given := r.ok(t)
	if want := "check that osls@4.3.1 runs on linux/amd64"; !strings.Contains(r.stderr, want) {
		t.Errorf("there is no step %q", want)
	}
	for line := range strings.Lines(r.stderr) {
		if strings.Contains(line, "transferring context:") && strings.Contains(line, "MB") {
			t.Errorf("more than the lock was sent: %s", line)
		}
	}
	t.Run("the context is the build file's folder", func(t *testing.T) {
		if lines := b.build(append(args, "-f", filepath.Join(dir, "samforge.yaml"))...).ok(t); lines[0] != given[0] {
			t.Errorf("got %s, want %s", lines[0], given[0])
		}
	})
	t.Run("the context is an archive", func(t *testing.T) {
		b.Files.Add("/context.tgz", archiveOf(t, map[string]string{"locks/osls.json": string(lock.Data)}))
		lines := b.build(append(args, "-f", filepath.Join(dir, "samforge.yaml"), b.Files.URL()+"/context.tgz")...).ok(t)
		if lines[0] != given[0] {
			t.Errorf("got %s, want %s", lines[0], given[0])
		}
	})
	t.Run("a context without the lock", func(t *testing.T) {
		without := frameworkContext(t, "version: 4.3.1, flavor: osls, lock: locks/osls.json", nil)
		b.wantFailure(b.build(append(args, without)...), "there is no locks/osls.json in the build context")
	})
	t.Run("a registry cache has the result", func(t *testing.T) {
		cache := "type=registry,ref=" + b.repo("cache:1")
		b.build(append(args, dir, "--cache-to", cache+",mode=max")...).ok(t)
		other := startBuildkitd(t, b.Registry, testenv.BuildkitdOptions{})
		b.Registry.Reset()
		if lines := b.buildOn(other, append(args, dir, "--cache-from", cache)...).ok(t); lines[0] != given[0] {
			t.Errorf("got %s, want %s", lines[0], given[0])
		}
		for _, ref := range []string{testenv.Python312Base, testenv.Node20Base, testenv.ServerlessPlugin} {
			b.wantNothingPulled(ref)
		}
	})
	output, err := b.inside(b.Buildkitd, given[0], "serverless --version; sls --version")
	if err != nil || strings.Count(output, "4.3.1") != 2 {
		t.Errorf("%v\n%s", err, output)
	}
}

// Without a lock npm resolves the version on the day of the build, and samforge warns about it.
func TestFreshResolve(t *testing.T) {
	t.Parallel()
	b, npm := sharedBed(t)
	args := []string{"--repo", b.repo("ci/sls"), "--target", "serverless", "--push", "--mirror", "https://registry.npmjs.org/=" + npm.URL() + "/"}
	r := b.build(append(args, frameworkContext(t, "version: 4.2.0, flavor: osls", nil))...)
	lines := r.ok(t)
	for _, want := range []string{"samforge has no lock of osls 4.2.0, and npm resolves it afresh: the image is not reproducible; use 4.3.1 or ", "npm install osls@4.2.0"} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("the progress does not say %q:\n%s", want, r.stderr)
		}
	}
	output, err := b.inside(b.Buildkitd, lines[0], "serverless --version; cat /opt/harness/serverless/node_modules/.package-lock.json")
	if err != nil || !strings.Contains(output, "4.2.0") {
		t.Errorf("%v\n%s", err, output)
	}
	if strings.Contains(output, npm.URL()) {
		t.Error("the registry's address is in the image")
	}
	image, err := b.Registry.ReadImage(t.Context(), lines[0], "linux/amd64")
	must(t, err)
	for _, name := range []string{"/opt/harness/serverless/package.json", "/opt/harness/serverless/package-lock.json"} {
		if _, ok := image.Files[name]; ok {
			t.Errorf("%s is in the image", name)
		}
	}
	t.Run("a version that does not exist", func(t *testing.T) {
		b.wantFailure(b.build(append(args, frameworkContext(t, "version: 3.99.0", nil))...), "python3.12-serverless: the npm registry does not have serverless@3.99.0")
	})
}

// A mistake in a lock is reported with its place, before anything is pulled; a mistake in a package
// with the package's name. The packages are made up, including the framework.
func TestLocksAndTheirPackages(t *testing.T) {
	t.Parallel()
	b, npm := newServerlessBed(t, testenv.Options{}, testenv.ServerlessOptions{})
	framework := npmPackage{Name: "serverless", Version: "3.39.0"}
	older := npmPackage{Name: "serverless", Version: "3.38.0"}
	bound := npmPackage{Name: "@made-up/bound", Version: "2.0.0", Manifest: map[string]any{"cpu": []string{"x64"}}}
	compiled := npmPackage{Name: "compiled", Version: "1.0.0", Files: map[string]string{"binding.gyp": "{}"}}
	x64 := npmPackage{Name: "x64", Version: "1.0.0", Files: map[string]string{"prebuilds/linux-x64/a.node": elfHeader(elf.EM_X86_64)}}
	both := npmPackage{Name: "both", Version: "1.0.0", Files: map[string]string{
		"prebuilds/linux-x64/a.node": elfHeader(elf.EM_X86_64), "prebuilds/linux-arm64/a.node": elfHeader(elf.EM_AARCH64)}}
	npm.Intercept(serve(t, npm.URL(), framework, bound, compiled, x64, both))

	build := func(dir, platform string, args ...string) result {
		return b.build(append([]string{"--repo", b.repo("ci/sls"), "--target", "serverless", "--platform", platform,
			"--mirror", "https://registry.npmjs.org/=" + npm.URL() + "/", dir}, args...)...)
	}
	const field = "version: 3.39.0, lock: locks/sls.json"
	withLock := func(lock string) string {
		return frameworkContext(t, field, map[string]string{"locks/sls.json": lock})
	}
	for name, c := range map[string]struct{ dir, platform, want string }{
		"the lock does not exist": {
			frameworkContext(t, field, nil), "linux/amd64",
			"samforge.yaml:3:37: serverless.lock: there is no locks/sls.json in the build context",
		},
		"the build file's own .dockerignore leaves it out": {
			frameworkContext(t, field, map[string]string{"locks/sls.json": lockOf(t, framework), "samforge.yaml.dockerignore": "locks\n"}), "linux/amd64",
			"there is no locks/sls.json in the build context, or its .dockerignore leaves it out",
		},
		"it is a link out of the context": {
			linkedContext(t, frameworkContext(t, field, nil), lockOf(t, framework)), "linux/amd64",
			"there is no locks/sls.json in the build context",
		},
		".dockerignore leaves it out": {
			frameworkContext(t, field, map[string]string{"locks/sls.json": lockOf(t, framework), ".dockerignore": "locks\n"}), "linux/amd64",
			"there is no locks/sls.json in the build context, or its .dockerignore leaves it out",
		},
		"it is for another version": {
			withLock(lockOf(t, older)), "linux/amd64",
			`samforge.yaml:3:37: serverless.lock: locks/sls.json: the lock asks for serverless "3.38.0" and holds "3.38.0", but "3.39.0" is to be installed; make a lock`,
		},
		"a package of it is for another architecture": {
			withLock(lockOf(t, framework, bound)), "linux/arm64",
			"samforge.yaml:3:37: serverless.lock: locks/sls.json needs packages that are not made for linux/arm64 with glibc (@made-up/bound@2.0.0)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			b.wantFailure(build(c.dir, c.platform), c.want)
			if pulled := b.pulledFrom("ecr/sam/build-nodejs20.x"); len(pulled) > 0 {
				t.Errorf("layers were pulled for it: %s", pulled)
			}
		})
	}
	for name, c := range map[string]struct{ lock, platform, want string }{
		"a changed integrity": {
			strings.Replace(lockOf(t, framework, both), both.integrity(t), "sha512-"+strings.Repeat("B", 85)+"A==", 1), "linux/amd64",
			"other bytes for both@1.0.0 than the lock (integrity " + both.integrity(t) + ", expected sha512-BBBB",
		},
		"native modules for another architecture": {
			lockOf(t, framework, both, x64), "linux/arm64",
			"python3.12-serverless: x64@1.0.0 has native modules, and none of them for linux/arm64 with glibc: ",
		},
		"a package that has to be compiled": {
			lockOf(t, framework, compiled), "linux/amd64",
			"python3.12-serverless: compiled@1.0.0 has to be compiled by its install script, which is not run, ",
		},
	} {
		t.Run(name, func(t *testing.T) { b.wantFailure(build(withLock(c.lock), c.platform), c.want) })
	}
	t.Run("native modules for both architectures go into both images", func(t *testing.T) {
		build(withLock(lockOf(t, framework, both)), "linux/amd64,linux/arm64").ok(t)
	})
	t.Run("addresses of the public registry lead to its mirror", func(t *testing.T) {
		lock := strings.Replace(lockOf(t, framework, both), `"integrity":"`+both.integrity(t), `"resolved":"https://registry.npmjs.org/both/-/1.0.0.tgz","integrity":"`+both.integrity(t), 1)
		if !strings.Contains(lock, "resolved") {
			t.Fatalf("the lock has no address: %s", lock)
		}
		build(withLock(lock), "linux/amd64").ok(t)
	})
	t.Run("--verify=off takes a package as it is", func(t *testing.T) {
		build(withLock(lockOf(t, framework, x64)), "linux/arm64", "--verify", "off").ok(t)
	})
}

// The check of the tree that npm installed, on various trees of packages. It runs here as it runs
// in the node image.
func TestCheckOfInstalledPackages(t *testing.T) {
	t.Parallel()
	script, err := filepath.Abs("../npm/scripts/check.cjs")
	must(t, err)
	x64, arm64 := elfHeader(elf.EM_X86_64), elfHeader(elf.EM_AARCH64)
	native := func(files map[string]string, manifest map[string]any) npmPackage {
		return npmPackage{Name: "native", Version: "1.0.0", Files: files, Manifest: manifest}
	}
	optional := map[string]any{"optional": true}
	for name, c := range map[string]struct {
		packages []npmPackage
		want     string // with arm64; empty if all is well
	}{
		"no native modules": {[]npmPackage{native(map[string]string{"index.js": ""}, nil)}, ""},
		"an install script of other use": {
			[]npmPackage{native(nil, map[string]any{"scripts": map[string]string{"postinstall": "node thanks.js"}})}, "",
		},
		"modules for several machines":          {[]npmPackage{native(map[string]string{"x64.node": x64, "arm64.node": arm64}, nil)}, ""},
		"modules for another machine":           {[]npmPackage{native(map[string]string{"a/x64.node": x64}, nil)}, "native@1.0.0 has native modules, and none"},
		"modules for another system":            {[]npmPackage{native(map[string]string{"mac.node": "\xcf\xfa\xed\xfe and so on, for a Mac"}, nil)}, "native@1.0.0 has native modules, and none"},
		"modules for another C library":         {[]npmPackage{native(map[string]string{"musl.node": arm64 + "libc.musl-aarch64.so.1"}, nil)}, "native@1.0.0 has native modules, and none"},
		"a truncated file":                      {[]npmPackage{native(map[string]string{"cut.node": arm64[:10]}, nil)}, "native@1.0.0 has native modules, and none"},
		"modules of an optional package":        {[]npmPackage{native(map[string]string{"x64.node": x64}, optional)}, ""},
		"a package that npm has to compile":     {[]npmPackage{native(map[string]string{"binding.gyp": "{}"}, nil)}, "native@1.0.0 has to be compiled"},
		"a package without anything to compile": {[]npmPackage{native(map[string]string{"binding.gyp": "{}"}, map[string]any{"gypfile": false})}, ""},
		"a package that downloads its module":   {[]npmPackage{native(nil, map[string]any{"scripts": map[string]string{"install": "prebuild-install || node-gyp rebuild"}})}, "native@1.0.0 has to be compiled"},
		"an optional package":                   {[]npmPackage{native(map[string]string{"binding.gyp": "{}"}, optional)}, ""},
		"a package with a compiled module":      {[]npmPackage{native(map[string]string{"binding.gyp": "{}", "arm64.node": arm64}, nil)}, ""},
		"a package with its modules in other packages": {[]npmPackage{
			native(map[string]string{"binding.gyp": "{}"}, map[string]any{"optionalDependencies": map[string]string{"native-linux-arm64": "1.0.0"}}),
			{Name: "native-linux-arm64", Version: "1.0.0", Files: map[string]string{"a.node": arm64}, Manifest: map[string]any{"optional": true, "cpu": []string{"arm64"}}},
		}, ""},
		"a package without the package of its modules": {[]npmPackage{
			native(map[string]string{"binding.gyp": "{}"}, map[string]any{"optionalDependencies": map[string]string{"native-linux-x64": "1.0.0"}}),
		}, "native@1.0.0 has to be compiled"},
		"an npm that takes its own platform for the image's": {
			[]npmPackage{{Name: "@a/linux-x64", Version: "1.0.0", Manifest: map[string]any{"optional": true, "cpu": []string{"x64"}}}},
			"npm installed @a/linux-x64@1.0.0, which is not for linux/arm64 with glibc",
		},
		"a framework that needs another Node.js": {
			[]npmPackage{{Name: "serverless", Version: "3.39.1", Manifest: map[string]any{"engines": map[string]string{"node": "^20.19.0 || >=22"}}}},
			"serverless 3.39.1 needs Node.js ^20.19.0 || >=22, and the node image has 18",
		},
		"a framework that accepts this Node.js": {
			[]npmPackage{{Name: "serverless", Version: "3.39.1", Manifest: map[string]any{"engines": map[string]string{"node": ">=12"}}}}, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := installed(t, append([]npmPackage{{Name: "serverless", Version: "3.39.0"}}, c.packages...))
			cmd := exec.CommandContext(t.Context(), "node", script, "arm64", "serverless", "18")
			cmd.Dir = dir
			output, err := cmd.CombinedOutput()
			if (err == nil) != (c.want == "") || (c.want != "") != strings.HasPrefix(string(output), "samforge: "+c.want) || strings.Count(string(output), "\n") > 1 {
				t.Errorf("%v, and it says %q, want %q", err, output, c.want)
			}
		})
	}
}

// npmPackage is a package that exists only here. manifest is added to its package.json.
type npmPackage struct {
	Name, Version string
	Manifest      map[string]any
	Files         map[string]string
}

func (p npmPackage) manifest() map[string]any {
	manifest := map[string]any{"name": p.Name, "version": p.Version}
	maps.Copy(manifest, p.Manifest)
	return manifest
}

func (p npmPackage) tarball(t *testing.T) []byte {
	t.Helper()
	files := map[string]string{"package/package.json": asJSON(t, p.manifest())}
	for name, content := range p.Files {
		files["package/"+name] = content
	}
	return archiveOf(t, files)
}

func (p npmPackage) integrity(t *testing.T) string {
	t.Helper()
	sum := sha512.Sum512(p.tarball(t))
	return "sha512-" + base64.StdEncoding.EncodeToString(sum[:])
}

// serve serves the packages like an npm registry at url.
func serve(t *testing.T, url string, packages ...npmPackage) func(w http.ResponseWriter, r *http.Request) bool {
	t.Helper()
	answers := map[string]string{}
	for _, p := range packages {
		tarball := "/" + p.Name + "/-/" + p.Version + ".tgz"
		version := p.manifest()
		version["dist"] = map[string]string{"tarball": url + tarball, "integrity": p.integrity(t)}
		answers[tarball] = string(p.tarball(t))
		answers["/"+p.Name] = asJSON(t, map[string]any{
			"name": p.Name, "dist-tags": map[string]string{"latest": p.Version}, "versions": map[string]any{p.Version: version},
		})
	}
	return func(w http.ResponseWriter, r *http.Request) bool {
		answer, ok := answers[r.URL.Path]
		if ok {
			_, _ = w.Write([]byte(answer))
		}
		return ok
	}
}

// lockOf returns a lock whose root depends on the packages.
func lockOf(t *testing.T, packages ...npmPackage) string {
	t.Helper()
	dependencies := map[string]string{}
	entries := map[string]any{"": map[string]any{"dependencies": dependencies}}
	for _, p := range packages {
		dependencies[p.Name] = p.Version
		entry := p.manifest()
		entry["integrity"] = p.integrity(t)
		delete(entry, "name")
		entries["node_modules/"+p.Name] = entry
	}
	return asJSON(t, map[string]any{"lockfileVersion": 3, "requires": true, "packages": entries})
}

// installed returns a folder as npm leaves it; a later package replaces one with the same name.
func installed(t *testing.T, packages []npmPackage) string {
	t.Helper()
	dir := t.TempDir()
	entries := map[string]any{}
	for _, p := range packages {
		place := "node_modules/" + p.Name
		entries[place] = p.manifest()
		must(t, os.MkdirAll(filepath.Join(dir, place), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, place, "package.json"), []byte(asJSON(t, p.manifest())), 0o600))
		for name, content := range p.Files {
			must(t, os.MkdirAll(filepath.Join(dir, place, filepath.Dir(name)), 0o755))
			must(t, os.WriteFile(filepath.Join(dir, place, name), []byte(content), 0o600))
		}
	}
	must(t, os.WriteFile(filepath.Join(dir, "node_modules/.package-lock.json"), []byte(asJSON(t, map[string]any{"packages": entries})), 0o600))
	return dir
}

// elfHeader returns the beginning of a program for a machine.
func elfHeader(machine elf.Machine) string {
	var header bytes.Buffer
	ident := [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)}
	_ = binary.Write(&header, binary.LittleEndian, elf.Header64{Ident: ident, Type: uint16(elf.ET_DYN), Machine: uint16(machine)})
	return header.String()
}

// archiveOf returns a compressed archive of files, with the same bytes each time.
func archiveOf(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var data bytes.Buffer
	compressed := gzip.NewWriter(&data)
	archive := tar.NewWriter(compressed)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		must(t, archive.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(files[name]))}))
		_, err := archive.Write([]byte(files[name]))
		must(t, err)
	}
	must(t, archive.Close())
	must(t, compressed.Close())
	return data.Bytes()
}

func asJSON(t *testing.T, value any) string {
	t.Helper()
	data, err := json.Marshal(value)
	must(t, err)
	return string(data)
}
