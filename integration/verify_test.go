package integration

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/samforge/samforge/integration/testenv"
)

// The finished image is checked in separate steps. They come from the cache if nothing has changed,
// also on another builder, and nothing is pulled.
func TestVerifyFull(t *testing.T) {
	t.Parallel()
	b, npm := newServerlessBed(t, testenv.Options{}, testenv.ServerlessOptions{})
	args := []string{"-f", pairFile(t, testenv.Python312Base, testenv.Node20Base, ""), "--repo", b.repo("ci/sls"),
		"--target", "serverless", "--push", "--mirror", "https://registry.npmjs.org/=" + npm.URL() + "/"}
	cache := "type=registry,ref=" + b.repo("cache:1")
	r := b.build(append(args, "--verify", "full", "--cache-to", cache+",mode=max")...)
	first := r.ok(t)
	for _, want := range []string{" v20.", " Docker version 28.5.2", " version=v0.4.15", " Framework Core: 3.39.0"} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("the log of the checks does not say %q:\n%s", want, r.stderr)
		}
	}

	other := startBuildkitd(t, b.Registry, testenv.BuildkitdOptions{})
	b.Registry.Reset()
	r = b.buildOn(other, append(args, "--verify", "full", "--cache-from", cache)...)
	if second := r.ok(t); second[0] != first[0] {
		t.Errorf("the image is %s, at first %s", second[0], first[0])
	}
	for _, ref := range []string{testenv.Python312Base, testenv.Node20Base, testenv.ServerlessPlugin, testenv.DockerCLIImage} {
		b.wantNothingPulled(ref)
	}
	for _, name := range []string{"python", "sam", "node", "docker", "go-template", "serverless"} {
		if want := fmt.Sprintf(" check %s in the image\n", name); !strings.Contains(r.stderr, want) || !cachedStep(r.stderr, want) {
			t.Errorf("the check of %s did not come from the cache", name)
		}
	}
	if unchecked := b.build(args...).ok(t); unchecked[0] != first[0] {
		t.Errorf("the image is %s without checks, %s with them", unchecked[0], first[0])
	}
}

// cachedStep reports whether plain progress shows that the step came from the cache; name ends its
// first line.
func cachedStep(progress, name string) bool {
	for line := range strings.Lines(progress) {
		if number, ok := strings.CutSuffix(line, name); ok && strings.Contains(progress, "\n"+strings.TrimSpace(number)+" CACHED\n") {
			return true
		}
	}
	return false
}

// Problems that the catalogue cannot know are found in the finished image.
func TestVerifyFullRefuses(t *testing.T) {
	t.Parallel()
	b, _ := newServerlessBed(t, testenv.Options{}, testenv.ServerlessOptions{NodeOpenSSL: "trixie"})
	tooNew, err := testenv.TooNewNode(t.Context())
	must(t, err)
	must(t, b.Registry.PublishAll(tooNew))
	build := func(runtime, node, more string, args ...string) result {
		return b.build(append([]string{"-f", pairFile(t, runtime, node, more), "--repo", b.repo("ci/sls"), "--target", "base"}, args...)...)
	}

	// The C library of the runtime image is older than node requires.
	b.wantFailure(build(testenv.Python311Base, testenv.TooNewNodeBase, "", "--verify", "full"),
		"runtimes[0].node: node does not run in the image: ", "/var/lang/lib/libuv.so.1 needs GLIBC_2.38 of libc.so.6, and the image's ends at GLIBC_2.30; ")
	build(testenv.Python311Base, testenv.TooNewNodeBase, "").ok(t)

	// Node.js brings an OpenSSL that does not work with Python.
	b.wantFailure(build(testenv.Python312Base, testenv.Node20Base, "", "--verify", "full"),
		"runtimes[0].image: python does not work in the image: ", "use node.layout: isolated")
	build(testenv.Python312Base, testenv.Node20Base, "node: {layout: isolated}\n", "--verify", "full").ok(t)

	// The system has a Python too, whatever the runtime is.
	b.wantFailure(build(testenv.Java21Base, testenv.Node20Base, "", "--verify", "full"),
		"runtimes[0].image: python does not work in the image: ", "use node.layout: isolated")

	// A program that cannot run here is still checked: the stand-ins for arm64 have no C library.
	r := build(testenv.Python312Base, testenv.Node20Base, "", "--verify", "full", "--platform", "linux/arm64")
	b.wantFailure(r, "runtimes[0].node: node does not run in the image: ", "/var/lang/bin/node needs libdl.so.2, libstdc++.so.6, ", " ld-linux-aarch64.so.1, which the image does not have")
	if !strings.Contains(r.stderr, "the programs of the image for linux/arm64 cannot be run on this builder") {
		t.Errorf("there is no warning:\n%s", r.stderr)
	}
}

// Programs that the builder cannot run are not run: only their libraries are checked. That reads
// the base image, unless a cache has the proof of the check.
func TestVerifyFullForAnotherMachine(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{})
	b.base(testenv.Node22Base, "nodejs22.x", "amd64", "arm64")
	build := func(args ...string) result {
		d := startBuildkitd(t, b.Registry, testenv.BuildkitdOptions{NoRunc: true})
		b.Registry.Reset()
		return b.buildOn(d, append(args, "--repo", b.repo("ci/sam"), "--push", "--verify", "full", "--platform", "linux/arm64",
			"--build-arg", "SAM_BASE_IMAGE="+testenv.Node22Base, "-f", example(t, "sam/samforge.yaml"))...)
	}
	cache := "type=registry,ref=" + b.repo("cache")
	r := build("--cache-to", cache)
	first := r.ok(t)
	if !strings.Contains(r.stderr, "the programs of the image for linux/arm64 cannot be run on this builder") {
		t.Errorf("there is no warning:\n%s", r.stderr)
	}
	wantDigests(t, build("--cache-from", cache).ok(t), first)
	b.wantNothingPulled(testenv.Node22Base)
}

// samforge reports what the merged layout replaces in the runtime image, whatever caches there are.
func TestVerifyFullReportsWhatMergedReplaces(t *testing.T) {
	t.Parallel()
	b, _ := sharedBed(t)
	added, err := testenv.Image(testenv.ImageOptions{Arch: "amd64", Layers: []testenv.Layer{{Files: []testenv.File{
		{Path: "/var/lang/bin/node", Mode: 0o755, Data: []byte("#!/bin/sh\n")},
		{Path: "/var/lang/bin/unlike", Mode: 0o755, Data: []byte("#!/bin/sh\n")},
	}}}})
	must(t, err)
	layers, err := added.Layers()
	must(t, err)
	ref, err := b.Registry.Ref(testenv.Python312Base + "-x86_64")
	must(t, err)
	parsed, err := name.ParseReference(ref)
	must(t, err)
	image, err := remote.Image(parsed, remote.WithContext(t.Context()))
	must(t, err)
	image, err = mutate.AppendLayers(image, layers...)
	must(t, err)
	const withNode = "public.ecr.aws/sam/build-python3.12:1.143.1-20250823000000"
	b.push(withNode, image)

	args := []string{"--repo", b.repo("ci/sls"), "--target", "base", "--verify", "full"}
	const want = "replaces /var/lang/bin/node of the runtime image: node.layout: isolated keeps them"
	for _, caches := range [][]string{nil, {"--cache-from", "type=registry,ref=" + b.repo("cache/none")}} {
		r := b.build(append(append(args, "-f", pairFile(t, withNode, testenv.Node20Base, "")), caches...)...)
		r.ok(t)
		if !strings.Contains(r.stderr, want) {
			t.Errorf("with %q there is no warning that says %q:\n%s", caches, want, r.stderr)
		}
	}
	r := b.build(append(args, "-f", pairFile(t, withNode, testenv.Node20Base, "node: {layout: isolated}\n"))...)
	r.ok(t)
	if strings.Contains(r.stderr, "replaces /") {
		t.Errorf("the isolated layout replaces files:\n%s", r.stderr)
	}
}
