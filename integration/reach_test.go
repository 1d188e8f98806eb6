package integration

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/samforge/samforge/integration/testenv"
	"github.com/samforge/samforge/internal/registry/awsfake"
)

// newReachBed starts a bed without a builder, with an image tools of Docker Hub in its registry.
func newReachBed(t *testing.T) *bed {
	t.Helper()
	b := &bed{t: t, Env: testenv.New(t, testenv.Options{NoBuildkitd: true, Registry: testenv.RegistryOptions{
		TokenAuth: true, AnonymousPull: true, Users: map[string]testenv.Account{"ci": {Password: ciPassword, Push: true}},
	}})}
	b.pushTools("docker.io/library/tools:1")
	return b
}

// pushTools publishes an image with the tools of Debian.
func (b *bed) pushTools(ref string) {
	b.t.Helper()
	root, err := testenv.DebianRoot(b.t.Context(), "bookworm")
	must(b.t, err)
	image, err := testenv.Image(testenv.ImageOptions{Arch: "amd64", Layers: []testenv.Layer{root}, Config: v1.Config{Env: []string{"PATH=/usr/bin:/bin"}}})
	must(b.t, err)
	b.push(ref, image)
}

// A builder that the step starts reaches registries as the settings say, and so does samforge
// without it: the second run asks for the tag itself.
func TestReachOfAStep(t *testing.T) {
	t.Parallel()
	b := newReachBed(t)
	files := t.TempDir()
	clients, err := testenv.ClientCertificate()
	must(t, err)
	for name, data := range map[string][]byte{"clients.pem": clients.Authority, "cert.pem": clients.Certificate, "key.pem": clients.Key} {
		must(t, os.WriteFile(filepath.Join(files, name), data, 0o600))
	}
	front := func(options testenv.FrontOptions) *testenv.Front {
		f, err := b.Registry.Front(options)
		must(t, err)
		t.Cleanup(func() { f.Close() })
		return f
	}
	secure, mutual, plain := front(testenv.FrontOptions{TLS: true}), front(testenv.FrontOptions{TLS: true, ClientCA: filepath.Join(files, "clients.pem")}), front(testenv.FrontOptions{})
	dir := checkout(t, map[string]string{"Dockerfile": "FROM tools:1 AS tools\nRUN cat /etc/resolv.conf >/resolv.conf\nFROM scratch\nCOPY --from=tools /resolv.conf /\n"})
	env, _ := b.privateEnv()
	step := func(host, name string, settings ...string) result {
		return b.stepBy(dir, []string{samforgeBinary}, append(append(env, "BUILDKIT_HOST=private://", "PLUGIN_REPO="+host+"/app/"+name, "PLUGIN_TAGS=1", "PLUGIN_USERNAME=ci", "PLUGIN_PASSWORD="+ciPassword,
			"PLUGIN_REGISTRY_MIRRORS=http://"+b.Registry.Addr+"/hub", "PLUGIN_CUSTOM_DNS=192.0.2.53", "PLUGIN_CUSTOM_DNS_SEARCH=corp.example.com"), settings...)...)
	}
	authority := "PLUGIN_REGISTRY_CERTIFICATE=" + secure.Addr + "=" + secure.CAFile + "," + mutual.Addr + "=" + mutual.CAFile
	toml := filepath.Join(files, "buildkitd.toml")
	must(t, os.WriteFile(toml, fmt.Appendf(nil, "[registry.%q]\n  http = false\n  ca = [%q]\n", secure.Addr, secure.CAFile), 0o600))
	for name, c := range map[string]struct {
		host     string
		settings []string
	}{
		"certificate":        {secure.Addr, []string{authority}},
		"any-certificate":    {secure.Addr, []string{"PLUGIN_SKIP_TLS_VERIFY=true"}},
		"buildkitd.toml":     {secure.Addr, []string{"PLUGIN_BUILDER_CONFIG=" + toml}},
		"any-by-name":        {secure.Addr, []string{"PLUGIN_SKIP_TLS_VERIFY_REGISTRY=" + secure.Addr}},
		"insecure-tls":       {secure.Addr, []string{"PLUGIN_INSECURE_REGISTRY=" + secure.Addr}},
		"client-certificate": {mutual.Addr, []string{authority, "PLUGIN_REGISTRY_CLIENT_CERT=" + mutual.Addr + "=" + filepath.Join(files, "cert.pem") + "," + filepath.Join(files, "key.pem")}},
		"plain-http":         {plain.AnyAddr(), []string{"PLUGIN_INSECURE=true"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := step(c.host, name, c.settings...)
			lines := r.ok(t)
			image, err := b.Registry.ReadImage(t.Context(), b.Registry.Addr+"/app/"+name+":1", "linux/amd64")
			must(t, err)
			resolv, err := image.ReadFile("/resolv.conf")
			if err != nil || !strings.Contains(string(resolv), "nameserver 192.0.2.53\nsearch corp.example.com") {
				t.Errorf("the steps of the build have the name servers\n%s%v", resolv, err)
			}
			if strings.Contains(r.stderr, "WARNING") {
				t.Errorf("there is a warning:\n%s", r.stderr)
			}
			wantDigests(t, step(c.host, name, append(c.settings, "PLUGIN_SKIP_PUSH_IF_TAG_EXISTS=true", "BUILDKIT_HOST=tcp://127.0.0.1:1")...).ok(t), lines)
		})
	}
	for name, c := range map[string]struct {
		host     string
		settings []string
		want     string
	}{
		"an unknown authority":        {secure.Addr, nil, "certificate"},
		"without its own certificate": {mutual.Addr, []string{authority}, "tls: "},
		"plain HTTP":                  {plain.AnyAddr(), nil, "PLUGIN_INSECURE_REGISTRY=" + plain.AnyAddr()},
	} {
		t.Run(name, func(t *testing.T) {
			if r := step(c.host, "refused", c.settings...); r.code != 1 || !strings.Contains(r.stderr, c.want) || r.stdout != "" {
				t.Errorf("exit code %d, want 1 and %q:\n%s", r.code, c.want, r.stderr)
			}
		})
	}
}

// Images of Docker Hub come from the mirror alone, on a builder of others too.
func TestMirrorAlone(t *testing.T) {
	t.Parallel()
	b, _ := sharedBed(t)
	b.pushTools(b.Registry.Addr + "/alone/library/files:1")
	for image, c := range map[string]struct {
		code int
		want string
	}{
		"files:1": {0, ""},
		"files:2": {1, b.Registry.Addr + "/alone/library/files:2"},
	} {
		dir := checkout(t, map[string]string{"Dockerfile": "FROM " + image + " AS files\nFROM scratch\nCOPY --from=files /etc/passwd /\n"})
		r := b.step(dir, "PLUGIN_REPO="+b.repo("app"), "PLUGIN_MIRROR=http://"+b.Registry.Addr+"/alone", "PLUGIN_SKIP_DEFAULT_REGISTRY_FALLBACK=true")
		if r.code != c.code || !strings.Contains(r.stderr, c.want) || strings.Contains(r.stderr, "registry-1.docker.io") {
			t.Errorf("%s: exit code %d, want %d and %q:\n%s", image, r.code, c.code, c.want, r.stderr)
		}
	}
}

// A rootless builder that the step starts has what the user's own buildkitd.toml says, and what the
// settings say.
func TestReachOfARootlessStep(t *testing.T) {
	t.Parallel()
	b := newReachBed(t)
	user, err := testenv.RootlessCredential()
	must(t, err)
	own, err := os.MkdirTemp("", "samforge-step-") // that user may not enter the folder of the test
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(own)) })
	must(t, os.Chmod(own, 0o755))
	must(t, exec.CommandContext(t.Context(), "cp", samforgeBinary, own).Run())
	for name, text := range map[string]string{
		"src/Dockerfile": "FROM tools:1 AS tools\nRUN cat /etc/resolv.conf >/resolv.conf\nFROM scratch\nCOPY --from=tools /resolv.conf /\n",
		"config/buildkit/buildkitd.toml": "[dns]\noptions = [\"ndots:7\"]\nnameservers = [\"192.0.2.54\"]\n" +
			"[registry.\"docker.io\"]\nmirrors = [\"" + b.Registry.Addr + "/hub\"]\n[registry.\"" + b.Registry.Addr + "\"]\nhttp = true\n",
	} {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(own, name)), 0o755))
		must(t, os.WriteFile(filepath.Join(own, name), []byte(text), 0o644))
	}
	command := []string{filepath.Join(own, "samforge")}
	if user != nil {
		must(t, filepath.WalkDir(own, func(path string, _ fs.DirEntry, err error) error {
			return errors.Join(err, os.Chown(path, int(user.Uid), int(user.Gid)))
		}))
		command = append([]string{"setpriv", fmt.Sprintf("--reuid=%d", user.Uid), fmt.Sprintf("--regid=%d", user.Gid), "--clear-groups"}, command...)
	}
	env, _ := b.privateEnv()
	of := append(env, "USER=me", "HOME="+own, "DOCKER_CONFIG="+own, "XDG_CONFIG_HOME="+filepath.Join(own, "config"), "XDG_CACHE_HOME="+filepath.Join(own, "cache"), "XDG_RUNTIME_DIR="+own, "TMPDIR=/tmp")
	r := b.stepBy(filepath.Join(own, "src"), command, append(of, "BUILDKIT_HOST=private://", "PLUGIN_REPO="+b.repo("app/rootless"), "PLUGIN_USERNAME=ci", "PLUGIN_PASSWORD="+ciPassword, "PLUGIN_CUSTOM_DNS=192.0.2.53")...)
	r.ok(t)
	image, err := b.Registry.ReadImage(t.Context(), b.repo("app/rootless:latest"), "linux/amd64")
	must(t, err)
	resolv, err := image.ReadFile("/resolv.conf")
	if want := "nameserver 192.0.2.53\nnameserver 192.0.2.54\n"; err != nil || !strings.Contains(string(resolv), want) || !strings.Contains(string(resolv), "ndots:7") {
		t.Errorf("the steps of the build have the name servers\n%s%v", resolv, err)
	}
	prunes(t, b, own, command, of)
}

// A builder that others run is not changed: a warning has the lines for it.
func TestReachWithABuilderOfOthers(t *testing.T) {
	t.Parallel()
	b, _ := sharedBed(t)
	dir := checkout(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY Dockerfile /\n"})
	r := b.step(dir, "PLUGIN_REPO="+b.repo("app"), "PLUGIN_MIRROR=https://mirror.example.com/", "PLUGIN_SKIP_TLS_VERIFY=false")
	want := "WARNING: PLUGIN_MIRROR cannot change the buildkitd at " + b.Buildkitd.Addr + ", which samforge did not start; its buildkitd.toml needs\n" +
		"    [registry]\n      [registry.'docker.io']\n        mirrors = ['mirror.example.com']\n"
	if r.ok(t); !strings.Contains(r.stderr, want) {
		t.Errorf("no warning says %q:\n%s", want, r.stderr)
	}
}

// HARNESS_CA_PATH is trusted by samforge, by its requests to clouds, and by the builder that it
// starts.
func TestAuthorityOfAStep(t *testing.T) {
	t.Parallel()
	aws, err := testenv.StartAWS(append([]string{"sts.googleapis.com", "login.microsoftonline.com"}, stepRegistries...)...)
	must(t, err)
	t.Cleanup(func() { must(t, aws.Close()) })
	b := &bed{t: t, Env: testenv.New(t, testenv.Options{NoBuildkitd: true, Registry: testenv.RegistryOptions{
		TokenAuth: true, AnonymousPull: true, Users: map[string]testenv.Account{"AWS": {Password: awsfake.Password, Push: true}},
	}})}
	aws.Serve(b.Registry)
	b.pushTools(b.Registry.Addr + "/library/files:1")
	dir := checkout(t, map[string]string{"Dockerfile": "FROM files:1\nCOPY Dockerfile /\n"})
	env, _ := b.privateEnv()
	others, err := testenv.ClientCertificate()
	must(t, err)
	bundle := filepath.Join(t.TempDir(), "bundle.pem")
	must(t, os.WriteFile(bundle, others.Authority, 0o600))
	b.env = append(env, "AWS_CA_BUNDLE="+bundle, "HOME="+t.TempDir(), "HTTPS_PROXY="+aws.ProxyURL, "AWS_EC2_METADATA_DISABLED=true", "AWS_ACCESS_KEY_ID=AKIAROLE", "AWS_SECRET_ACCESS_KEY=secret")
	settings := []string{"PLUGIN_REPO=team/app", "PLUGIN_REGISTRY=" + testenv.AWSHost, "PLUGIN_TAGS=1", "PLUGIN_CREATE_REPOSITORY=true", "BUILDKIT_HOST=private://"}
	if r := b.step(dir, settings...); r.code == 0 || !strings.Contains(r.stderr, "certificate") {
		t.Fatalf("without the authority the exit code is %d:\n%s", r.code, r.stderr)
	}
	settings = append(settings, "HARNESS_CA_PATH="+aws.CAFile)
	lines := b.step(dir, settings...).ok(t)
	again := b.step(dir, append(settings, "PLUGIN_SKIP_PUSH_IF_TAG_EXISTS=true", "BUILDKIT_HOST=tcp://127.0.0.1:1")...)
	wantDigests(t, again.ok(t), lines)

	// What stands in for the other clouds has their names, and refuses all tokens.
	token := "PLUGIN_OIDC_TOKEN_ID=a.b.c"
	for cloud, settings := range map[string][]string{
		"Google": {token, "PLUGIN_REPO=us.gcr.io/project/app", "PLUGIN_PROJECT_NUMBER=1", "PLUGIN_POOL_ID=pool", "PLUGIN_PROVIDER_ID=harness"},
		"Azure":  {token, "PLUGIN_REPO=yourregistry.azurecr.io/app", "CLIENT_ID=11111111-2222-3333-4444-555555555555", "TENANT_ID=11111111-2222-3333-4444-555555555555"},
	} {
		for _, authority := range []string{"", aws.CAFile} {
			r := b.step(dir, append(settings, "HARNESS_CA_PATH="+authority)...)
			if untrusted := strings.Contains(r.stderr, "x509"); r.code == 0 || untrusted != (authority == "") {
				t.Errorf("%s, with the authority %q: exit code %d\n%s", cloud, authority, r.code, r.stderr)
			}
		}
	}
}

// prunes removes the cache that a private builder has left in a folder: first it is only listed.
func prunes(t *testing.T, b *bed, own string, command, env []string) {
	t.Helper()
	state := filepath.Join(own, "cache", "samforge", "buildkitd")
	prune := func(flags ...string) result {
		return b.stepBy(own, append(append(slices.Clone(command), "prune"), flags...), env...)
	}
	if r := prune("--dry-run"); r.code != 0 || !strings.Contains(r.stdout, state+"  ") || !strings.Contains(r.stdout, "Total reclaimable  ") {
		t.Errorf("prune --dry-run ends with %d:\n%s%s", r.code, r.stdout, r.stderr)
	}
	if r := prune(); r.code != 2 || !strings.Contains(r.stderr, "add --force") {
		t.Errorf("prune without a terminal ends with %d:\n%s", r.code, r.stderr)
	}
	if _, err := os.Stat(state); err != nil {
		t.Errorf("it was removed too early: %v", err)
	}
	if r := prune("--force"); r.code != 0 {
		t.Errorf("prune --force ends with %d:\n%s", r.code, r.stderr)
	}
	if left, err := os.ReadDir(filepath.Dir(state)); err != nil || len(left) > 0 {
		t.Errorf("prune leaves %v, %v", left, err)
	}
}
