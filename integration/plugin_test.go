package integration

import (
	"crypto/ed25519"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/samforge/samforge/integration/testenv"
)

// checkout makes a git repository with files, and commits them.
func checkout(t *testing.T, files map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte(text), 0o644))
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"-c", "user.name=dev", "-c", "user.email=dev@example.com", "commit", "-q", "-m", "first", "--date", "2026-03-04T05:06:07Z"}} {
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_COMMITTER_DATE=2026-03-04T05:06:07Z")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
	}
	return dir
}

// step runs samforge as a step of a pipeline: no arguments, settings in variables.
func (b *bed) step(dir string, settings ...string) result {
	b.t.Helper()
	return b.stepBy(dir, []string{samforgeBinary}, settings...)
}

// stepBy is step for another command line that runs samforge.
func (b *bed) stepBy(dir string, command []string, settings ...string) result {
	b.t.Helper()
	cmd := exec.CommandContext(b.t.Context(), command[0], command[1:]...)
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), "DOCKER_CONFIG="+b.t.TempDir()), b.env...)
	if b.Buildkitd != nil {
		cmd.Env = append(cmd.Env, "BUILDKIT_HOST="+b.Buildkitd.Addr)
	}
	cmd.Env = append(cmd.Env, settings...)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if _, isExit := err.(*exec.ExitError); err != nil && !isExit {
		b.t.Fatal(err)
	}
	return result{stdout: stdout.String(), stderr: stderr.String(), code: cmd.ProcessState.ExitCode()}
}

// The step builds any Dockerfile and pushes it with one account, while another account of the same
// registry pulls the base image. Secrets reach the build and nothing else, and a second run on immutable
// tags does nothing.
func TestPlugin(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{Registry: testenv.RegistryOptions{
		TokenAuth: true, ImmutableTags: true,
		Users: map[string]testenv.Account{
			"pusher": {Password: "canary-of-the-pusher", Push: true, Only: "team/app"},
			"puller": {Password: "canary-of-the-puller", Only: "base/"},
		},
	}})
	b.pushTools(b.Registry.Addr + "/base/tools:1")
	_, private, err := ed25519.GenerateKey(nil)
	must(t, err)
	block, err := ssh.MarshalPrivateKey(private, "")
	must(t, err)
	key := string(pem.EncodeToMemory(block))
	dir := checkout(t, map[string]string{
		"docker/Dockerfile": "FROM " + b.Registry.Addr + "/base/tools:1 AS tools\nARG WHO\nARG LIST\n" +
			"RUN --mount=type=secret,id=ENV_SECRET --mount=type=secret,id=FILE_SECRET --mount=type=ssh " +
			"grep -q of-the-variable /run/secrets/ENV_SECRET && grep -q of-the-file /run/secrets/FILE_SECRET && " +
			"test -S \"$SSH_AUTH_SOCK\" && echo \"$WHO $LIST\" >/who\n" +
			"FROM scratch\nCOPY --from=tools /who /who\nCOPY src /src\n",
		"src/app.txt":   "app\n",
		".dockerignore": "*.tmp\n",
	})
	secret := filepath.Join(t.TempDir(), "secret")
	must(t, os.WriteFile(secret, []byte("canary-of-the-file"), 0o600))
	out := t.TempDir()
	settings := []string{
		"PLUGIN_REGISTRY=http://" + b.Registry.Addr + "/v1/", "PLUGIN_REPO=team/app", "PLUGIN_TAGS=1.2.3", "PLUGIN_EXPAND_TAG=true",
		"PLUGIN_USERNAME=pusher", "PLUGIN_PASSWORD=canary-of-the-pusher",
		"PLUGIN_BASE_IMAGE_REGISTRY=" + b.Registry.Addr, "PLUGIN_BASE_IMAGE_USERNAME=puller", "PLUGIN_BASE_IMAGE_PASSWORD=canary-of-the-puller",
		"PLUGIN_DOCKERFILE=docker/Dockerfile", "PLUGIN_BUILD_ARGS_NEW=WHO=world;LIST=a,b", "PLUGIN_CUSTOM_LABELS=team=blue",
		"PLUGIN_SECRETS_FROM_ENV=ENV_SECRET=MY_SECRET", "MY_SECRET=canary-of-the-variable", "PLUGIN_SECRETS_FROM_FILE=FILE_SECRET=" + secret,
		"PLUGIN_SSH_AGENT_KEY=" + key, "DRONE_COMMIT_SHA=0123456789",
		"PLUGIN_ARTIFACT_FILE=" + filepath.Join(out, "new/artifact.json"), "DRONE_OUTPUT=" + filepath.Join(out, "output"),
		"PLUGIN_TAR_PATH=" + filepath.Join(out, "tar/image.tar"), "PLUGIN_SKIP_PUSH_IF_TAG_EXISTS=true", "PLUGIN_GARBAGE=yoyo", "PLUGIN_SNAPSHOT_MODE=redo", "PLUGIN_CLEANUP=true",
	}
	first := b.step(dir, settings...)
	lines := first.ok(t)
	if len(lines) != 3 || !strings.HasPrefix(lines[0], b.Registry.Addr+"/team/app:1@sha256:") || !strings.HasPrefix(lines[2], b.Registry.Addr+"/team/app:1.2.3@sha256:") {
		t.Fatalf("stdout is %q", lines)
	}
	for _, want := range []string{"PLUGIN_GARBAGE is no setting of this step", "PLUGIN_CLEANUP does nothing here"} {
		if !strings.Contains(first.stderr, want) {
			t.Errorf("no warning says %q:\n%s", want, first.stderr)
		}
	}
	if strings.Contains(first.stderr, "PLUGIN_SNAPSHOT_MODE") {
		t.Errorf("a value that Harness gives to every step causes a warning:\n%s", first.stderr)
	}
	digest := digestOf(lines[0])
	var artifact struct {
		Kind string
		Data struct {
			RegistryType, RegistryURL string
			Images                    []struct{ Image, Digest string }
		}
	}
	data, err := os.ReadFile(filepath.Join(out, "new/artifact.json"))
	must(t, err)
	must(t, json.Unmarshal(data, &artifact))
	if artifact.Kind != "docker/v1" || artifact.Data.RegistryURL != b.Registry.Addr || len(artifact.Data.Images) != 3 || artifact.Data.Images[1].Digest != digest {
		t.Errorf("the artifact file is %s", data)
	}
	if data, err = os.ReadFile(filepath.Join(out, "output")); err != nil || !strings.Contains(string(data), "digest=\""+digest+"\"\nIMAGE_TAR_PATH=") {
		t.Errorf("the output file is %q, %v", data, err)
	}
	image, err := b.Registry.ReadImage(t.Context(), b.Registry.Addr+"/team/app@"+digest, "linux/amd64")
	must(t, err)
	who, err := image.ReadFile("/who")
	labels := image.Config.Labels
	if string(who) != "world a,b\n" || err != nil || labels["team"] != "blue" || labels["org.opencontainers.image.revision"] != "0123456789" ||
		labels["org.opencontainers.image.created"] != "2026-03-04T05:06:07Z" {
		t.Errorf("the image has %q, %v and the labels %v", who, err, labels)
	}
	must(t, filepath.Walk(out, func(name string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		if strings.Contains(string(data), "canary") {
			t.Errorf("a secret is in %s", name)
		}
		return err
	}))
	if all := first.stdout + first.stderr + b.Buildkitd.Log() + fmt.Sprintf("%+v", image); strings.Contains(all, "canary") || strings.Contains(all, key) {
		t.Errorf("a secret is shown or pushed:\n%s", all)
	}
	t.Run("again, on immutable tags", func(t *testing.T) {
		again := b.step(dir, append(settings, "BUILDKIT_HOST=tcp://127.0.0.1:1")...)
		wantDigests(t, again.ok(t), lines)
	})
	t.Run("one tag more", func(t *testing.T) {
		more := b.step(dir, append(settings, "PLUGIN_TAGS=1.2.3,extra")...).ok(t)
		if len(more) != 4 || digestOf(more[3]) != digest {
			t.Errorf("stdout is %q", more)
		}
	})
	t.Run("the file of the image is pushed", func(t *testing.T) {
		pushed := b.step(dir, "PLUGIN_REGISTRY="+b.Registry.Addr, "PLUGIN_REPO=team/app-moved", "PLUGIN_TAGS=1,2", "PLUGIN_PUSH_ONLY=true", "PLUGIN_USERNAME=pusher",
			"PLUGIN_PASSWORD=canary-of-the-pusher", "PLUGIN_SOURCE_TAR_PATH="+filepath.Join(out, "tar/image.tar"), "BUILDKIT_HOST=tcp://127.0.0.1:1").ok(t)
		image, err := b.Registry.ReadImage(t.Context(), b.Registry.Addr+"/team/app-moved:2", "linux/amd64")
		must(t, err)
		if who, err := image.ReadFile("/who"); len(pushed) != 2 || err != nil || string(who) != "world a,b\n" {
			t.Errorf("stdout is %q, the image has %q, %v", pushed, who, err)
		}
	})
	for name, c := range map[string]struct {
		settings []string
		want     string
	}{
		"no repository":            {[]string{"PLUGIN_TAGS=1"}, "PLUGIN_REPO is missing"},
		"no Dockerfile":            {[]string{"PLUGIN_REPO=a/b", "PLUGIN_DOCKERFILE=docker/Dockerfil"}, `there is no docker/Dockerfil: did you mean "Dockerfile"?`},
		"no context":               {[]string{"PLUGIN_REPO=a/b", "PLUGIN_CONTEXT=nowhere"}, "PLUGIN_CONTEXT: there is no nowhere"},
		"an illegal tag":           {[]string{"PLUGIN_REPO=a/b", "PLUGIN_TAGS=feature/x"}, `the tag "feature/x" is not legal`},
		"half a login":             {[]string{"PLUGIN_REPO=a/b", "PLUGIN_USERNAME=a"}, "PLUGIN_USERNAME and PLUGIN_PASSWORD belong together"},
		"a malformed secret":       {[]string{"PLUGIN_REPO=a/b", "PLUGIN_SECRETS_FROM_ENV=TOKEN", "PLUGIN_DOCKERFILE=docker/Dockerfile"}, "PLUGIN_SECRETS_FROM_ENV: entry 1 of 1 is not of the form ID=VARIABLE"},
		"a variable that is unset": {[]string{"PLUGIN_REPO=a/b", "PLUGIN_SECRETS_FROM_ENV=A=NOPE", "PLUGIN_DOCKERFILE=docker/Dockerfile"}, "what is given for the secret A is the name of no variable"},
		"no bool":                  {[]string{"PLUGIN_REPO=a/b", "PLUGIN_NO_PUSH=maybe"}, `PLUGIN_NO_PUSH: "maybe" is neither true nor false`},
		"a config that is none":    {[]string{"PLUGIN_REPO=a/b", "PLUGIN_DOCKERFILE=docker/Dockerfile", "PLUGIN_CONFIG={canary"}, "PLUGIN_CONFIG: the text is not Docker's config.json"},
		"both ways to tag":         {[]string{"PLUGIN_REPO=a/b", "PLUGIN_AUTO_TAG=true", "PLUGIN_EXPAND_TAG=true"}, "PLUGIN_AUTO_TAG and PLUGIN_EXPAND_TAG contradict each other"},
		"a flag that is none":      {[]string{"PLUGIN_REPO=a/b", "PLUGIN_BUILDX_OPTIONS=--nope"}, "PLUGIN_BUILDX_OPTIONS: unknown flag: --nope"},
		"a key that is none":       {[]string{"PLUGIN_REPO=a/b", "PLUGIN_DOCKERFILE=docker/Dockerfile", "PLUGIN_SSH_AGENT_KEY=canary"}, "PLUGIN_SSH_AGENT_KEY: the text is no private key"},
	} {
		t.Run(name, func(t *testing.T) {
			r := b.step(dir, c.settings...)
			if r.code != 2 || !strings.Contains(r.stderr, c.want) || strings.Contains(r.stderr, "canary") {
				t.Errorf("exit code %d, want 2 and %q:\n%s", r.code, c.want, r.stderr)
			}
		})
	}
	t.Run("another branch", func(t *testing.T) {
		r := b.step(dir, "PLUGIN_REPO=a/b", "PLUGIN_AUTO_TAG=true", "DRONE_COMMIT_REF=refs/heads/topic", "DRONE_REPO_BRANCH=main")
		if r.code != 0 || r.stdout != "" || !strings.Contains(r.stderr, "nothing is built: PLUGIN_AUTO_TAG makes no tag for refs/heads/topic") {
			t.Errorf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
		}
	})
}

// The build context of the step may be a folder of a private git repository, whose token is a secret of
// the build.
func TestPluginGitContext(t *testing.T) {
	t.Parallel()
	b, _ := sharedBed(t)
	dir := checkout(t, map[string]string{
		"apps/web/docker/Dockerfile": "FROM scratch\nCOPY web.txt /\n", "apps/web/web.txt": "web\n",
	})
	must(t, os.RemoveAll(filepath.Join(dir, ".git"))) // the server makes a commit of its own
	address := gitServer(t, dir, "canary-of-git")
	repo := b.Registry.Addr + "/" + b.prefix + "app"
	settings := []string{
		"PLUGIN_REPO=" + repo, "PLUGIN_CONTEXT=" + address + "#main:apps", "PLUGIN_CONTEXT_SUB_PATH=web", "PLUGIN_DOCKERFILE=docker/Dockerfile",
		"PLUGIN_SECRETS_FROM_ENV=GIT_AUTH_TOKEN=TOKEN", "TOKEN=canary-of-git",
	}
	r := b.step(t.TempDir(), settings...)
	r.ok(t)
	image, err := b.Registry.ReadImage(t.Context(), repo+":latest", "linux/amd64")
	must(t, err)
	if data, err := image.ReadFile("/web.txt"); string(data) != "web\n" || err != nil || strings.Contains(r.stderr, "canary") {
		t.Errorf("the image has %q, %v\n%s", data, err, r.stderr)
	}
	r = b.step(t.TempDir(), append(settings, "PLUGIN_SECRETS_FROM_ENV=")...)
	b.wantFailure(r, "the git repository requires a login", "GIT_AUTH_TOKEN")
}
