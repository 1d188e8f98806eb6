package integration

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/samforge/samforge/integration/testenv"
)

// npm's failures reach the user as a sentence.
func TestNPMFailures(t *testing.T) {
	t.Parallel()
	b, _ := sharedBed(t)
	npm := startNPM(t)
	lodash := npmPackage{Name: "lodash", Version: "4.17.21"}
	framework := npmPackage{Name: "serverless", Version: "3.39.0", Manifest: map[string]any{"dependencies": map[string]string{"lodash": "4.17.21"}}}
	lock := strings.Replace(lockOf(t, framework, lodash), `{"lodash":"4.17.21","serverless":"3.39.0"}`, `{"serverless":"3.39.0"}`, 1)
	dir := frameworkContext(t, "version: 3.39.0, lock: sls.json", map[string]string{"sls.json": lock})
	build := func(registry string, more ...string) result {
		return b.build(append([]string{"--repo", b.repo("ci/sls"), "--target", "serverless", "--push",
			"--mirror", "https://registry.npmjs.org/=" + registry + "/", dir}, more...)...)
	}
	served := serve(t, npm.URL(), framework, lodash)
	t.Run("a registry that is down", func(t *testing.T) {
		b.wantFailure(build("http://127.0.0.1:9"), "the npm registry cannot be reached", "127.0.0.1:9", "ECONNREFUSED", "HTTPS_PROXY")
	})
	t.Run("a registry that requires credentials", func(t *testing.T) {
		npm.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
			w.WriteHeader(http.StatusUnauthorized)
			return true
		})
		defer npm.Intercept(nil)
		b.wantFailure(build(npm.URL()), "wants other credentials", "--secret id=npmrc")
	})
	t.Run("a token that is not given", func(t *testing.T) {
		npm.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
			w.WriteHeader(http.StatusUnauthorized)
			return true
		})
		defer npm.Intercept(nil)
		npmrc := filepath.Join(t.TempDir(), "npmrc")
		must(t, os.WriteFile(npmrc, []byte(strings.TrimPrefix(npm.URL(), "http:")+"/:_authToken=${NPM_TOKEN}\n"), 0o600))
		// BuildKit makes an empty variable of the secret.
		b.wantFailure(build(npm.URL(), "--secret", "id=npmrc,src="+npmrc), "uses ${NPM_TOKEN}, which the build does not have", "--secret id=NPM_TOKEN,env=NPM_TOKEN")
	})
	t.Run("a registry that echoes the token", func(t *testing.T) {
		npm.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
			w.WriteHeader(http.StatusForbidden)
			_, _ = fmt.Fprintf(w, `{"error": "\u001b]0;owned\u0007 you sent %s"}`, r.Header.Get("Authorization"))
			return true
		})
		defer npm.Intercept(nil)
		npmrc := filepath.Join(t.TempDir(), "npmrc")
		must(t, os.WriteFile(npmrc, []byte(strings.TrimPrefix(npm.URL(), "http:")+"/:_authToken=npm_0123456789\n"), 0o600))
		r := build(npm.URL(), "--secret", "id=npmrc,src="+npmrc)
		if r.code != 1 || !strings.Contains(r.stderr, "you sent Bearer ***") || strings.Contains(r.stderr, "npm_0123456789") || strings.ContainsAny(r.stderr, "\x1b\x07") {
			t.Errorf("exit code %d:\n%q", r.code, r.stderr)
		}
	})
	t.Run("a package that the registry does not have", func(t *testing.T) {
		npm.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/lodash" && !strings.HasPrefix(r.URL.Path, "/lodash/") {
				return served(w, r)
			}
			http.NotFound(w, r)
			return true
		})
		defer npm.Intercept(nil)
		b.wantFailure(build(npm.URL()), "the npm registry does not have", "lodash")
	})
	t.Run("a package with other bytes than the lock's", func(t *testing.T) {
		npm.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, "/lodash/-/") {
				return served(w, r)
			}
			_, _ = w.Write([]byte("not what was locked"))
			return true
		})
		defer npm.Intercept(nil)
		b.wantFailure(build(npm.URL()), "other bytes for lodash@4", "serverless 3.39.0", "sha512-")
	})
}

// oneLock is a lock of serverless without its dependencies: npm fails with it sooner.
const oneLock = `{"lockfileVersion": 3, "packages": {"": {"dependencies": {"serverless": "3.39.0"}}, "node_modules/serverless": {"version": "3.39.0",
	"integrity": "sha512-FHI3fhe4TRS8+ez/KA7HmO3lt3fAynO+N1pCCzYRThMWG0J8RWCI0BI+K0mw9+sEV+QpBCpZRZbuGyUaTsaQew=="}}}`

// With any npm in the node image, and through any door, the user reads why it failed. The npm of
// Node.js 22 and 24 itself says only that its exit handler was never called.
func TestNPMFailuresOfEveryNodeImage(t *testing.T) {
	t.Parallel()
	b, npm := newServerlessBed(t, testenv.Options{}, testenv.ServerlessOptions{}) // npm has nothing in its cache
	node24, err := testenv.NodeBase(t.Context(), testenv.Node24Base, "nodejs24.x", "24.21.0")
	must(t, err)
	must(t, b.Registry.PublishAll(node24))
	x := b.newBuildx(b.Buildkitd)
	secure := httptest.NewUnstartedServer(npm)
	pair, _, err := testenv.ServerCertificate()
	must(t, err)
	secure.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	secure.StartTLS()
	t.Cleanup(secure.Close)
	for _, node := range []string{testenv.Node20Base, testenv.Node22Base, testenv.Node24Base} {
		content, err := os.ReadFile(pairFile(t, testenv.Python312Base, node, ""))
		must(t, err)
		dir := x.folder(strings.Replace(string(content), "version: 3.39.0", "version: 3.39.0, lock: package-lock.json", 1))
		file := filepath.Join(dir, "samforge.yaml")
		must(t, os.WriteFile(filepath.Join(dir, "package-lock.json"), []byte(oneLock), 0o600))
		for registry, want := range map[string]string{
			"http://127.0.0.1:9": "the npm registry cannot be reached (http://127.0.0.1:9/",
			secure.URL:           "the npm registry's certificate is not trusted: pass the authority's with --secret id=ca,src=FILE",
		} {
			b.wantFailure(b.build("-f", file, "--repo", b.repo("ci/sls"), "--target", "serverless", "--push",
				"--mirror", "https://registry.npmjs.org/="+registry+"/"), "python3.12-serverless: "+want)
			x.npm = registry
			if r := x.build(dir, "--target", "python3.12-serverless"); r.code == 0 || !strings.Contains(r.stderr, "samforge: "+want) {
				t.Errorf("docker buildx build with %s and %s: exit code %d, want %q:\n%s", node, registry, r.code, want, r.stderr)
			}
		}
	}
}

// The npm step uses the network and the hosts of the command line, through both doors.
func TestNetworkOfTheNPMStep(t *testing.T) {
	t.Parallel()
	b, npm := newServerlessBed(t, testenv.Options{}, testenv.ServerlessOptions{})
	path := cdkFile(t, testenv.Lambda20Base, testenv.Python312Base)
	const host = "npm.registry.test" // only --add-host resolves it
	registry := strings.Replace(npm.URL(), "127.0.0.1", host, 1)
	args := []string{"-f", path, "--repo", b.repo("ci/cdk"), "--push", "--mirror", "https://registry.npmjs.org/=" + registry + "/"}
	b.wantFailure(b.build(append(args, "--network", "none", "--add-host", host+":127.0.0.1")...), "the npm registry cannot be reached", "build without --network none")
	b.wantFailure(b.build(append(args, "--network", "host")...), "network.host")
	allowing := startBuildkitd(t, b.Registry, testenv.BuildkitdOptions{HostNetwork: true})
	b.wantFailure(b.buildOn(allowing, append(args, "--network", "host")...), "the npm registry cannot be reached") // npm was run
	file, err := os.ReadFile(path)
	must(t, err)
	x := b.newBuildx(b.Buildkitd)
	x.npm = registry
	dir := x.folder(string(file))
	xArgs := []string{"--push", "-t", x.repo("ci/buildx:1"), "--add-host", host + ":127.0.0.1"}
	if r := x.build(dir, append(xArgs, "--network", "none")...); r.code == 0 || npm.Requests() > 0 {
		t.Fatalf("docker buildx build --network none: exit code %d, %d requests for packages:\n%s", r.code, npm.Requests(), r.stderr)
	}
	x.build(dir, xArgs...).ok(t)
	if npm.Tarballs() == 0 {
		t.Error("no package was asked for at the host of --add-host")
	}
	line := b.build(append(args, "--add-host", host+":127.0.0.1")...).ok(t)[0]
	if got := b.digestOfTag(x.repo("ci/buildx:1")); got != digestOf(line) {
		t.Errorf("docker buildx build gives %s, the command %s", got, digestOf(line))
	}
}

// Version 4 is a release archive: building the image executes nothing, and the framework runs
// without its installer.
func TestServerless4(t *testing.T) {
	t.Parallel()
	b, _ := sharedBed(t)
	archive := releaseArchive(t)
	b.Files.Add("/archives/serverless-4.18.0.tgz", archive)
	file := filepath.Join(t.TempDir(), "samforge.yaml")
	must(t, os.WriteFile(file, []byte(fmt.Sprintf(`kind: serverless
plugin: {image: harness/serverless-plugin:1.1.0-beta-base-image, version: 1.1.0-beta}
serverless: {version: 4.18.0, sha256: %x}
runtimes:
  - {image: '%s', node: '%s'}
`, sha256.Sum256(archive), testenv.Python312Base, testenv.Node20Base)), 0o600))
	noRunc := startBuildkitd(t, b.Registry, testenv.BuildkitdOptions{NoRunc: true})
	r := b.buildOn(noRunc, "-f", file, "--repo", b.repo("ci/sls"), "--target", "serverless", "--push",
		"--mirror", "https://install.serverless.com/="+b.Files.URL()+"/")
	lines := r.ok(t)
	if want := b.repo("ci/sls:python3.12-4.18.0-1.1.0-beta-linux-amd64@"); !strings.HasPrefix(lines[0], want) {
		t.Errorf("stdout is %q, want a line that begins with %s", lines, want)
	}
	image, err := b.Registry.ReadImage(t.Context(), lines[0], "linux/amd64")
	must(t, err)
	const esbuild = "/opt/harness/serverless/package/node_modules/@esbuild/"
	if _, ok := image.Files[esbuild+"linux-x64/bin/esbuild"]; !ok {
		t.Error("esbuild for the image's platform is missing")
	}
	for _, other := range []string{"linux-arm64", "darwin-x64", "win32-x64"} {
		if _, ok := image.Files[esbuild+other+"/bin/esbuild"]; ok {
			t.Errorf("esbuild for %s is in the image", other)
		}
	}
	output, err := b.inside(b.Buildkitd, lines[0], "serverless --version; sls --version")
	if err != nil || strings.Count(output, "Serverless ϟ Framework 4.18.0 --version") != 2 {
		t.Errorf("%v\n%s", err, output)
	}
}

// releaseArchive has the shape of a release of Serverless Framework 4.
func releaseArchive(t *testing.T) []byte {
	t.Helper()
	var data bytes.Buffer
	compressed := gzip.NewWriter(&data)
	archive := tar.NewWriter(compressed)
	files := []struct{ name, content string }{
		{"package/package.json", `{"name": "serverless", "version": "4.18.0", "type": "module"}`},
		{"package/dist/sf-core.js", `console.log("Serverless ϟ Framework 4.18.0 " + process.argv.slice(2).join(" "))`},
	}
	for _, platform := range []string{"linux-x64", "linux-arm64", "darwin-x64", "darwin-arm64", "win32-x64"} {
		files = append(files, struct{ name, content string }{"package/node_modules/@esbuild/" + platform + "/bin/esbuild", platform})
	}
	for _, f := range files {
		must(t, archive.WriteHeader(&tar.Header{Name: f.name, Mode: 0o644, Size: int64(len(f.content))}))
		_, err := archive.Write([]byte(f.content))
		must(t, err)
	}
	must(t, archive.Close())
	must(t, compressed.Close())
	return data.Bytes()
}
