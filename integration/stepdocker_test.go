package integration

import (
	"archive/tar"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/samforge/samforge/integration/testenv"
)

// asksAgent succeeds if the agent of the build step has a key. The agent sends the length of its
// answer first: https://datatracker.ietf.org/doc/draft-ietf-sshm-ssh-agent/
const asksAgent = `perl -MIO::Socket::UNIX -e '$s = IO::Socket::UNIX->new(Peer => $ENV{SSH_AUTH_SOCK}); print $s pack("NC", 1, 11); $s->flush; read($s, $n, 4); read($s, $b, unpack("N", $n)); exit($b !~ /ssh-ed25519/)'`

// The examples of Harness's own documentation that push to Docker Hub: secrets, archives beside a
// push and without one, and an SSH key. /harness is the folder of the checkout.
func TestHarnessExamplesOfDockerHub(t *testing.T) {
	t.Parallel()
	b, _ := newStepBed(t, false)
	root, err := testenv.DebianRoot(t.Context(), "bookworm")
	must(t, err)
	node, err := testenv.Image(testenv.ImageOptions{Arch: "amd64", Layers: []testenv.Layer{root}})
	must(t, err)
	b.push("docker.io/library/node:20-slim", node)
	dir := checkout(t, map[string]string{
		"Dockerfile": "FROM node:20-slim AS base\n" +
			"RUN --mount=type=secret,id=USERNAME --mount=type=secret,id=PASSWORD --mount=type=secret,id=docker_user2 " +
			"--mount=type=secret,id=docker_pass2 --mount=type=secret,id=docker_user3 cd /run/secrets && " +
			"cat USERNAME PASSWORD docker_user2 docker_pass2 docker_user3 | tr -d '\\n' | sha256sum | cut -c1-64 >/sum\n" +
			"FROM scratch\nCOPY --from=base /sum /sum\n",
		"docker/Dockerfile": "FROM scratch\nCOPY docker /docker\n",
		"docker/ssh":        "FROM node:20-slim AS base\nRUN --mount=type=ssh,id=sshkey " + asksAgent + "\nFROM scratch\nCOPY --from=base /etc/passwd /done\n",
		"test.txt":          "canary-of-the-workspace\n",
	})
	t.Run("secrets", func(t *testing.T) { b.secretsExample(t, dir) })
	t.Run("archives", func(t *testing.T) { b.archivesExample(t, dir) })
	t.Run("an SSH key", func(t *testing.T) { b.sshExample(t, dir) })
}

func (b *bed) secretsExample(t *testing.T, dir string) {
	secrets := t.TempDir() // where Harness writes the secrets that are files
	for name, text := range map[string]string{"myusername": "canary-of-the-user\n", "mydockerpass": "canary-of-the-password\n"} {
		must(t, os.WriteFile(filepath.Join(secrets, name), []byte(text), 0o600))
	}
	env := harnessVariables(t, `
- step:
    identifier: buildAndPush
    type: BuildAndPushDockerRegistry
    name: Build and Push Docker Image
    spec:
      connectorRef: dockerConnector
      repo: dockerRepo/imageName
      tags:
        - ci-<+pipeline.executionId>
      envDockerSecrets:
        USERNAME: a_user # Reference in Dockerfile:reference to env variable
        PASSWORD: a_pass
      fileDockerSecrets:
        docker_user2: <+secrets.getValue("myusername")> # File secret defined in Harness
        docker_pass2: <+secrets.getValue("mydockerpass")>
        docker_user3: /harness/test.txt # path to local file in workspace containing the secret
      caching: true
`, "<+pipeline.executionId>", "Xy_1-z", `<+secrets.getValue("myusername")>`, filepath.Join(secrets, "myusername"),
		`<+secrets.getValue("mydockerpass")>`, filepath.Join(secrets, "mydockerpass"), "/harness/", dir+"/")
	env = append(env, "a_user=canary-of-a-user", "a_pass=canary-of-a-pass")
	if r := b.step(dir, env...); r.code != 2 || !strings.Contains(r.stderr, `PLUGIN_REPO: "dockerRepo/imageName" is not a repository`) {
		t.Errorf("the example's repository has capital letters, which no registry takes: exit code %d\n%s", r.code, r.stderr)
	}
	r := b.step(dir, append(env, "PLUGIN_REPO=dockerrepo/imagename")...)
	digest := b.wantStep(t, r, "dockerrepo/imagename:ci-Xy_1-z")
	image, err := b.Registry.ReadImage(t.Context(), b.Registry.Addr+"/dockerrepo/imagename@"+digest, "linux/amd64")
	must(t, err)
	sum, err := image.ReadFile("/sum")
	must(t, err)
	if want := fmt.Sprintf("%x", sha256.Sum256([]byte("canary-of-a-usercanary-of-a-passcanary-of-the-usercanary-of-the-passwordcanary-of-the-workspace"))); strings.TrimSpace(string(sum)) != want {
		t.Errorf("the build had other secrets: %s, want %s", sum, want)
	}
	if log := b.Buildkitd.Log(); strings.Contains(log, "canary") {
		t.Errorf("a secret is in the log of the builder:\n%s", log)
	}
}

func (b *bed) archivesExample(t *testing.T, dir string) {
	const example = `
- step:
    type: BuildAndPushDockerRegistry
    name: BuildAndPushDockerRegistry_1
    identifier: BuildAndPushDockerRegistry_1
    spec:
      connectorRef: docker_connector
      repo: dockerhub/image_name
      tags:
        - linux-amd64
      caching: false
      dockerfile: ./docker/Dockerfile
      envVariables:
        PLUGIN_TAR_PATH: /harness/image_name.tar
`
	archive := filepath.Join(dir, "image_name.tar")
	hasImage := func() bool {
		file, err := os.Open(archive)
		if err != nil {
			return false
		}
		defer file.Close()
		for reader := tar.NewReader(file); ; {
			header, err := reader.Next()
			if errors.Is(err, io.EOF) {
				return false
			}
			must(t, err)
			if header.Name == "manifest.json" {
				return true
			}
		}
	}
	env := harnessVariables(t, example+"        PLUGIN_NO_PUSH: \"true\"\n", "/harness/", dir+"/")
	if lines := b.step(dir, env...).ok(t); len(lines) != 1 || !hasImage() {
		t.Errorf("without a push the output is %q, an archive is there: %t", lines, hasImage())
	}
	if _, err := b.Registry.ReadImage(t.Context(), b.Registry.Addr+"/dockerhub/image_name:linux-amd64", "linux/amd64"); err == nil {
		t.Error("PLUGIN_NO_PUSH pushes")
	}
	must(t, os.Remove(archive))
	env = harnessVariables(t, example, "/harness/", dir+"/")
	b.wantStep(t, b.step(dir, env...), "dockerhub/image_name:linux-amd64")
	if !hasImage() {
		t.Error("there is no archive beside the push")
	}
}

func (b *bed) sshExample(t *testing.T, dir string) {
	_, private, err := ed25519.GenerateKey(nil)
	must(t, err)
	block, err := ssh.MarshalPrivateKey(private, "")
	must(t, err)
	folder := t.TempDir()
	must(t, os.WriteFile(filepath.Join(folder, "id_ed25519"), pem.EncodeToMemory(block), 0o400))
	env := harnessVariables(t, `
- step:
    type: BuildAndPushDockerRegistry
    name: Build and Push Image
    identifier: Build_and_Push_Image
    spec:
      connectorRef: DOCKER_CONNECTOR
      repo: DOCKER_ORG/DOCKER_REPO
      tags:
        - multiarch
      caching: true # Required to enable BuildKit/buildx; without this, buildx will not be used
      dockerfile: docker/Dockerfile
      resources:
        limits:
          memory: 1Gi
          cpu: 750m
      envVariables:
        PLUGIN_BUILDX_OPTIONS: "--ssh=sshkey=/harness/id_ed25519"
`, "DOCKER_ORG/DOCKER_REPO", "docker-org/docker-repo", "docker/Dockerfile", "docker/ssh", "/harness/", folder+"/")
	b.wantStep(t, b.step(dir, env...), "docker-org/docker-repo:multiarch")
}
