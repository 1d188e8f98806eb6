package integration

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/samforge/samforge/integration/testenv"
)

// quirk is an unusual registry, with samforge's configuration for it.
type quirk struct {
	front testenv.FrontOptions
	any   bool     // use the front's address that looks like a remote host
	env   []string // added to the environment
	// noPlan is the error of a plan, which has no builder to query; empty if the plan works.
	noPlan []string
	warns  string // the warning while it works
}

// A push of several platforms, the same again with --skip-existing, and a plan work with every
// registry that the builder can use, or say what to do. If there is a builder, samforge queries
// only the builder.
func TestRegistriesThatAreNotTheUsualOnes(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{NoBuildkitd: true})
	b.base("public.ecr.aws/sam/build-python3.12:1.143.0", "python3.12", "amd64", "arm64")
	noHelper := t.TempDir()
	must(t, os.WriteFile(filepath.Join(noHelper, "config.json"), []byte(`{"credsStore": "nope"}`), 0o600))
	podman := filepath.Join(t.TempDir(), "auth.json")
	const login = `{"auths": {"HOST": {"auth": "Y2k6c2VjcmV0"}}}` // ci:secret

	quirks := map[string]quirk{
		"credentials in DOCKER_AUTH_CONFIG only": {front: testenv.FrontOptions{User: "ci", Password: "secret"}, env: []string{"DOCKER_AUTH_CONFIG=" + login}},
		"credentials in Podman's file only":      {front: testenv.FrontOptions{User: "ci", Password: "secret"}, env: []string{"REGISTRY_AUTH_FILE=" + podman}},
		"an authority that the builder knows": {front: testenv.FrontOptions{TLS: true},
			noPlan: []string{"this machine does not know the authority", "SSL_CERT_FILE"}},
		"plain HTTP that the builder knows about": {any: true,
			noPlan: []string{"speaks plain HTTP", "without a builder"}},
		"no HEAD":                    {front: testenv.FrontOptions{NoHEAD: true}},
		"HEAD without a digest":      {front: testenv.FrontOptions{BareHEAD: true}},
		"manifests that appear late": {front: testenv.FrontOptions{Late: true}},
		"a missing helper": {env: []string{"DOCKER_CONFIG=" + noHelper},
			warns: "the credential helper docker-credential-nope, which is not on PATH"},
		"mounts refused with 403": {front: testenv.FrontOptions{RefuseMounts: http.StatusForbidden}},
		"mounts refused with 400": {front: testenv.FrontOptions{RefuseMounts: http.StatusBadRequest}},
		"mounts refused with 404": {front: testenv.FrontOptions{RefuseMounts: http.StatusNotFound}},
	}
	fronts := map[string]*testenv.Front{}
	options := testenv.BuildkitdOptions{Mirrors: b.Registry.Mirrors(), Rootless: true, NoRunc: true, Authorities: map[string]string{}}
	for name, q := range quirks {
		front, err := b.Registry.Front(q.front)
		must(t, err)
		t.Cleanup(func() { front.Close() })
		fronts[name] = front
		switch {
		case q.front.TLS:
			options.Authorities[front.Addr] = front.CAFile
		case q.any:
			options.PlainHTTP = append(options.PlainHTTP, front.AnyAddr())
		default:
			options.PlainHTTP = append(options.PlainHTTP, front.Addr)
		}
		if strings.HasPrefix(name, "credentials in Podman") {
			must(t, os.WriteFile(podman, []byte(strings.Replace(login, "HOST", front.Addr, 1)), 0o600))
		}
	}
	var err error
	b.Buildkitd, err = testenv.StartBuildkitd(t.Context(), options)
	must(t, err)
	t.Cleanup(func() { must(t, b.Buildkitd.Close()) })

	for name, q := range quirks {
		t.Run(name, func(t *testing.T) {
			front := fronts[name]
			host := front.Addr
			if q.any {
				host = front.AnyAddr()
			}
			env := slices.Clone(b.env)
			for _, variable := range q.env {
				env = append(env, strings.Replace(variable, "HOST", host, 1))
			}
			repo := host + "/" + strings.NewReplacer(" ", "-", "'", "").Replace(strings.ToLower(name)) + "/sam"
			input := append([]string{"--build-arg", "SAM_BASE_IMAGE=public.ecr.aws/sam/build-python3.12:1.143.0", "-f", example(t, "sam/samforge.yaml"),
				"--platform", "linux/amd64,linux/arm64", "--repo", repo}, b.mirrors()...)
			if q.front.RefuseMounts != 0 { // the base is in the same registry, so BuildKit requests mounts
				input = append(input, "--mirror", "public.ecr.aws="+front.Addr+"/ecr")
			}
			push := append([]string{"build", "--progress", "plain", "--builder", b.Buildkitd.Addr, "--push"}, input...)

			first := run(t, env, push...)
			lines := first.ok(t)
			if len(lines) != 3 {
				t.Errorf("stdout has %d lines, want an index and two members:\n%s", len(lines), first.stdout)
			}
			if q.front.RefuseMounts != 0 && front.Refused() == 0 {
				t.Error("nothing was asked to be mounted")
			}
			front.Settle()
			for i, arch := range []string{"amd64", "arm64"} {
				tag := b.Registry.Addr + strings.TrimPrefix(strings.SplitN(lines[0], "@", 2)[0], host)
				ofIndex, err := b.Registry.ReadImage(t.Context(), tag, "linux/"+arch)
				must(t, err)
				if digestOf(lines[i+1]) != ofIndex.Digest {
					t.Errorf("%s is not what the index has for %s: %s", lines[i+1], arch, ofIndex.Digest)
				}
			}

			b.Registry.Reset()
			if again := run(t, env, append(push, "--skip-existing")...).ok(t); !slices.Equal(again, lines) {
				t.Errorf("with --skip-existing stdout is %q, want %q", again, lines)
			}
			if stats := b.Registry.Stats(); stats.ManifestPuts != 0 || stats.Uploads != 0 {
				t.Errorf("with --skip-existing it pushed %+v", stats)
			}

			plan := run(t, env, append([]string{"plan"}, input...)...)
			if len(q.noPlan) == 0 {
				plan.ok(t)
				if !strings.Contains(plan.stderr, q.warns) {
					t.Errorf("plan does not say %q:\n%s", q.warns, plan.stderr)
				}
				return
			}
			for _, want := range q.noPlan {
				if plan.code != 1 || !strings.Contains(plan.stderr, want) {
					t.Errorf("plan ends with %d and does not say %q:\n%s", plan.code, want, plan.stderr)
				}
			}
			if q.front.TLS { // the remedy
				run(t, append(env, "SSL_CERT_FILE="+front.CAFile), append([]string{"plan"}, input...)...).ok(t)
			}
		})
	}
}

// The builder pushes the members of an index under their own tags from its cache: nothing is
// pulled, sent or run for them, whatever else the index contains.
func TestMembersOfAnIndex(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{Buildkitd: testenv.BuildkitdOptions{NoRunc: true}})
	base := "public.ecr.aws/sam/build-python3.12:1.143.0"
	b.base(base, "python3.12", "amd64", "arm64")
	for name, args := range map[string][]string{
		"plain":                  nil,
		"with an inline cache":   {"--cache-to", "type=inline"},
		"with attestations":      {"--provenance", "mode=max", "--sbom", "true"},
		"with annotations":       {"--annotation", "index:a=1", "--annotation", "manifest:b=2", "--annotation", "manifest-descriptor:c=3"},
		"without the cache":      {"--no-cache"},
		"of another compression": {"--output", "type=image,push=false,compression=gzip"},
	} {
		t.Run(name, func(t *testing.T) {
			repo := b.repo(strings.ReplaceAll(name, " ", "-") + "/sam")
			b.Registry.Reset()
			r := b.build(append([]string{"--build-arg", "SAM_BASE_IMAGE=" + base, "-f", example(t, "sam/samforge.yaml"),
				"--platform", "linux/amd64,linux/arm64", "--repo", repo, "--push"}, args...)...)
			lines := r.ok(t)
			b.wantNothingPulled(base)
			if strings.Contains(r.stderr, "platform") && strings.Contains(r.stderr, "does not match") {
				t.Errorf("BuildKit warns:\n%s", r.stderr)
			}
			tag, _, _ := strings.Cut(lines[0], "@")
			for i, arch := range []string{"amd64", "arm64"} {
				member, err := b.Registry.ReadImage(t.Context(), lines[i+1], "linux/"+arch)
				must(t, err)
				ofIndex, err := b.Registry.ReadImage(t.Context(), tag, "linux/"+arch)
				must(t, err)
				if member.Digest != ofIndex.Digest || digestOf(lines[i+1]) != member.Digest {
					t.Errorf("%s is %s under its own tag and %s in the index", arch, member.Digest, ofIndex.Digest)
				}
			}
			if name == "plain" {
				stats := b.Registry.Stats() // the index, its two images, and the two tags
				if stats.ManifestPuts != 5 {
					t.Errorf("%d manifests were pushed, want 5", stats.ManifestPuts)
				}
			}
		})
	}
}

// docker:28-cli as on Docker Hub: 386 before amd64, arm before arm64, an attestation for each. For
// each platform the lock has the image that BuildKit takes.
func TestLockOfAnOfficialImage(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{NoBuildkitd: true})
	b.base("public.ecr.aws/sam/build-nodejs22.x:1.144.0-20250911030138", "nodejs22.x", "amd64", "arm64")
	var images []v1.Image
	digests := map[string]string{}
	for _, arch := range []string{"amd64", "arm64"} {
		image, err := testenv.DockerCLI(t.Context(), testenv.DockerCLIOptions{Version: "28.5.2", Arch: arch})
		must(t, err)
		digest, err := image.Digest()
		must(t, err)
		digests[arch] = digest.String()
		images = append(images, image)
	}
	index, err := testenv.OfficialIndex(append([]string{"386"}, testenv.DockerPlatforms()...), images...)
	must(t, err)
	whole, err := b.Registry.PushIndex("docker.io/library/docker:28.5.2-cli", index)
	must(t, err)

	file := filepath.Join(t.TempDir(), "samforge.yaml")
	text := strings.ReplaceAll(seedFile(t), "-x86_64", "")
	must(t, os.WriteFile(file, []byte(text), 0o600))
	run(t, b.env, append([]string{"lock", "-f", file}, b.mirrors()...)...).ok(t)
	lock, err := os.ReadFile(filepath.Join(filepath.Dir(file), "samforge.lock"))
	must(t, err)
	for _, want := range []string{whole, digests["amd64"], digests["arm64"]} {
		if !strings.Contains(string(lock), want) {
			t.Errorf("the lock file does not have %s:\n%s", want, lock)
		}
	}
	for _, verb := range []string{"plan", "graph"} {
		run(t, b.env, append([]string{verb, "-f", file, "--repo", b.repo("ci/sam"), "--platform", "linux/amd64,linux/arm64"}, b.mirrors()...)...).ok(t)
	}
}

// Images can be built, and are the same, through a proxy that resets, drops, truncates, doubles and
// refuses a quarter of all requests.
func TestRegistryBehindABadProxy(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{NoBuildkitd: true})
	file := "kind: sam\nplugin: {image: harness/aws-sam-plugin:1.1.2-beta-base-image, version: 1.1.2-beta}\nruntimes:\n"
	for _, runtime := range []string{"python3.12", "python3.13", "java21"} {
		base := "public.ecr.aws/sam/build-" + runtime + ":1.143.0"
		b.base(base, runtime, "amd64", "arm64")
		file += "  - image: " + base + "\n"
	}
	path := filepath.Join(t.TempDir(), "samforge.yaml")
	must(t, os.WriteFile(path, []byte(file), 0o600))
	build := func(options testenv.FrontOptions) (digests []string) {
		front, err := b.Registry.Front(options)
		must(t, err)
		defer front.Close()
		builder, err := testenv.StartBuildkitd(t.Context(), testenv.BuildkitdOptions{Rootless: true, NoRunc: true, PlainHTTP: []string{front.Addr}})
		must(t, err)
		defer func() { must(t, builder.Close()) }()
		args := []string{"build", "--progress", "plain", "--builder", builder.Addr, "-f", path, "--platform", "linux/amd64,linux/arm64",
			"--push", "--repo", front.Addr + "/ci/sam" + options.Breaks}
		for _, mirror := range b.mirrors() {
			args = append(args, strings.ReplaceAll(mirror, b.Registry.Addr, front.Addr))
		}
		for _, line := range run(t, b.env, args...).ok(t) {
			digests = append(digests, digestOf(line))
		}
		slices.Sort(digests)
		if options.Breaks != "" && front.Broken() == 0 {
			t.Error("nothing was broken")
		}
		return digests
	}
	want := build(testenv.FrontOptions{})
	if got := build(testenv.FrontOptions{Breaks: "one"}); !slices.Equal(got, want) {
		t.Errorf("the digests are %q, want %q", got, want)
	}
}

// With a registry that sometimes breaks off requests, both the builder and samforge without one try
// again.
func TestRegistryThatBreaksOff(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{Buildkitd: testenv.BuildkitdOptions{NoRunc: true}})
	var broken sync.Map
	b.Registry.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if _, again := broken.LoadOrStore(r.Method+" "+r.URL.Path, true); !again && strings.Contains(r.URL.Path, "/manifests/") && r.Method == http.MethodHead {
			panic(http.ErrAbortHandler) // which closes the connection
		}
		return false
	})
	push := []string{"-f", example(t, "sam/samforge.yaml"), "--repo", b.repo("ci/sam"), "--push"}
	lines := b.build(push...).ok(t)
	broken.Clear()
	if again := b.build(append(push, "--skip-existing")...).ok(t); !slices.Equal(again, lines) {
		t.Errorf("with --skip-existing stdout is %q, want %q", again, lines)
	}
	broken.Clear()
	run(t, b.env, append([]string{"plan", "-f", example(t, "sam/samforge.yaml"), "--repo", b.repo("ci/sam")}, b.mirrors()...)...).ok(t)
}
