package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The step builds the targets of a bake file as docker buildx bake does: variables, groups, matrices,
// targets that are contexts of others, secrets and outputs of one target. One that fails keeps all
// others from being pushed.
func TestPluginBakeFile(t *testing.T) {
	t.Parallel()
	b, _ := sharedBed(t)
	repo := b.Registry.Addr + "/" + b.prefix
	dir := checkout(t, map[string]string{
		"docker-bake.hcl": `
variable "VERSION" { default = "none" }
variable "REPO" { default = "none" }
group "default" { targets = ["web", "api", "files"] }
target "base" {
  context = "base"
  args    = { FROM = "base" }
}
target "_common" { args = { WHO = "world" } }
target "web" {
  inherits = ["_common"]
  context  = "web"
  contexts = { base = "target:base", files = "shared" }
  tags     = ["${REPO}web:${VERSION}", "${REPO}web:latest"]
  labels   = { team = "blue" }
}
target "api" {
  name     = "api-${stage}"
  matrix   = { stage = ["one", "two"] }
  context  = "web"
  target   = stage
  tags     = ["${REPO}api:${stage}"]
  dockerfile-inline = <<EOT
FROM scratch AS one
COPY app.txt /one
FROM scratch AS two
COPY app.txt /two
EOT
}
target "files" {
  context           = "."
  dockerfile-inline = "FROM scratch\nCOPY shared /\n"
  output            = ["type=local,dest=out"]
}
target "broken" {
  dockerfile-inline = "FROM scratch\nCOPY nothing /\n"
  tags              = ["${REPO}broken:1"]
}
target "agent" {
  dockerfile-inline = "FROM scratch\nCOPY shared /\n"
  ssh               = ["default"]
  tags              = ["${REPO}agent:1"]
}
target "outside" {
  context = "/etc"
  tags    = ["${REPO}outside:1"]
}
target "missing" {
  context = "nowhere"
  tags    = ["${REPO}missing:1"]
}
target "linked" {
  contexts          = { base = "target:web" }
  dockerfile-inline = "FROM base\nCOPY web/app.txt /more\n"
  tags              = ["${REPO}linked:1"]
}
`,
		"base/Dockerfile":   "FROM scratch\nARG FROM\nENV FROM=$FROM\nCOPY base.txt /base.txt\n",
		"base/base.txt":     "base\n",
		"web/Dockerfile":    "FROM base\nARG WHO\nLABEL who=$WHO\nCOPY app.txt /app.txt\nCOPY --from=files shared.txt /shared.txt\n",
		"web/app.txt":       "app\n",
		"shared/shared.txt": "shared\n",
	})
	metadata := filepath.Join(t.TempDir(), "metadata.json")
	artifact := filepath.Join(t.TempDir(), "artifact.json")
	settings := []string{"PLUGIN_BAKE_FILE=docker-bake.hcl", "SSH_AUTH_SOCK=", "PLUGIN_REGISTRY=" + b.Registry.Addr, "REPO=" + repo, "VERSION=1.2"}
	bake := b.step(dir, append(settings, "PLUGIN_METADATA_FILE="+metadata, "PLUGIN_ARTIFACT_FILE="+artifact, "PLUGIN_TAGS=ignored")...)
	lines := bake.ok(t)
	if len(lines) != 4 || !strings.Contains(bake.stderr, "PLUGIN_TAGS does nothing with PLUGIN_BAKE_FILE") {
		t.Fatalf("stdout is %q\n%s", lines, bake.stderr)
	}
	web, err := b.Registry.ReadImage(t.Context(), repo+"web:1.2", "linux/amd64")
	must(t, err)
	for name, want := range map[string]string{"/app.txt": "app\n", "/base.txt": "base\n", "/shared.txt": "shared\n"} {
		if data, err := web.ReadFile(name); err != nil || string(data) != want {
			t.Errorf("%s of web is %q, %v", name, data, err)
		}
	}
	if labels := web.Config.Labels; labels["team"] != "blue" || labels["who"] != "world" || labels["org.opencontainers.image.created"] == "" || len(web.Config.Env) != 1 && web.Config.Env[len(web.Config.Env)-1] != "FROM=base" {
		t.Errorf("web has the labels %v and the environment %q", labels, web.Config.Env)
	}
	for _, stage := range []string{"one", "two"} {
		api, err := b.Registry.ReadImage(t.Context(), repo+"api:"+stage, "linux/amd64")
		must(t, err)
		if data, err := api.ReadFile("/" + stage); err != nil || string(data) != "app\n" {
			t.Errorf("api %s has %q, %v", stage, data, err)
		}
	}
	if data, err := os.ReadFile(filepath.Join(dir, "out/shared.txt")); err != nil || string(data) != "shared\n" {
		t.Errorf("the output of the target files is %q, %v", data, err)
	}
	for _, file := range []string{metadata, artifact} {
		if data, err := os.ReadFile(file); err != nil || !strings.Contains(string(data), "api-two") && !strings.Contains(string(data), "api:two") {
			t.Errorf("%s is %s, %v", file, data, err)
		}
	}
	for name, c := range map[string]struct {
		options string
		code    int
		want    string
	}{
		"a target that fails":        {"web;broken;--set=web.tags=" + repo + "unpushed:1", 1, "the image is built, and not exported, because broken failed"},
		"a folder that is not there": {"missing", 2, "PLUGIN_BAKE_FILE: missing: the context nowhere is no folder"},
		"a folder outside":           {"outside", 2, "additional privileges requested"},
		"a target that is not there": {"wev", 2, "PLUGIN_BAKE_FILE: "},
		"no SSH agent":               {"agent", 2, "target agent asks for an SSH agent: set PLUGIN_SSH_AGENT_KEY"},
		"a flag that is none":        {"--nope", 2, "PLUGIN_BAKE_OPTIONS: unknown flag: --nope"},
		"an address":                 {"https://example.com/bake.git", 2, "a bake file of an address is not read"},
	} {
		t.Run(name, func(t *testing.T) {
			r := b.step(dir, append(settings, "PLUGIN_BAKE_OPTIONS="+c.options)...)
			if r.code != c.code || !strings.Contains(r.stderr, c.want) {
				t.Errorf("exit code %d, want %d and %q:\n%s", r.code, c.code, c.want, r.stderr)
			}
		})
	}
	if _, err := b.Registry.ReadImage(t.Context(), repo+"unpushed:1", "linux/amd64"); err == nil {
		t.Error("an image was pushed although another target failed")
	}
	t.Run("one target, with links of links", func(t *testing.T) {
		lines := b.step(dir, append(settings, "PLUGIN_BAKE_OPTIONS=--progress=plain;linked")...).ok(t)
		linked, err := b.Registry.ReadImage(t.Context(), repo+"linked:1", "linux/amd64")
		must(t, err)
		if data, err := linked.ReadFile("/base.txt"); len(lines) != 1 || err != nil || string(data) != "base\n" || linked.Config.Labels["who"] != "world" {
			t.Errorf("stdout is %q, the image has %q, %v", lines, data, err)
		}
	})
	t.Run("all tags exist", func(t *testing.T) {
		again := b.step(dir, append(settings, "PLUGIN_SKIP_PUSH_IF_TAG_EXISTS=true", "BUILDKIT_HOST=tcp://127.0.0.1:1", "PLUGIN_BAKE_OPTIONS=web;api")...)
		wantDigests(t, again.ok(t), lines)
	})
	t.Run("nothing is pushed", func(t *testing.T) {
		r := b.step(dir, append(settings, "PLUGIN_NO_PUSH=true", "VERSION=2", "PLUGIN_BAKE_OPTIONS=web")...)
		if _, err := b.Registry.ReadImage(t.Context(), repo+"web:2", "linux/amd64"); r.code != 0 || err == nil {
			t.Errorf("exit code %d, %v\n%s", r.code, err, r.stderr)
		}
	})
}
