package integration

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/samforge/samforge/integration/testenv"
	"github.com/samforge/samforge/llbgen"
)

// The commands of README's "Use it" do what it says, one after the other, with its build file; only
// the registry differs. All commands that push an image give it the same digest.
func TestReadmeCommands(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{})
	b.base(testenv.Node22Base, "nodejs22.x", "amd64", "arm64")
	b.base(testenv.Python312Base, "python3.12", "amd64", "arm64")
	nothing, err := testenv.Image(testenv.ImageOptions{Arch: "amd64"})
	must(t, err)
	x := b.newBuildx(b.Buildkitd)
	file, commands := useIt(t)
	registry := strings.NewReplacer("registry.example.com", b.Registry.Addr)
	dir := t.TempDir()
	mirrors := "mirrors:\n  https://app.harness.io/: " + b.Files.URL() + "/\n"
	must(t, os.WriteFile(filepath.Join(dir, llbgen.Filename), []byte(registry.Replace(file)+mirrors), 0o600))
	if len(commands) < 5 {
		t.Fatalf("README has %d commands: %q", len(commands), commands)
	}
	const python = "ci/aws-sam-plugin:1.1.2-beta-python3.12-1.143.0"
	digests := map[string]string{} // by command
	for _, command := range commands {
		cmd := exec.CommandContext(t.Context(), "sh", "-ec", registry.Replace(command))
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(samforgeBinary)+":"+os.Getenv("PATH"), "BUILDKIT_HOST="+b.Buildkitd.Addr,
			"DOCKER_CONFIG="+x.config, "BUILDX_CONFIG="+x.config+"/buildx", "BUILDX_BUILDER=remote")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
		if strings.Contains(command, "--push") && !strings.Contains(command, "--build-arg") {
			digests[command] = b.digestOfTag(b.repo(python))
			_, err := b.Registry.Push(b.repo(python), nothing) // so that the next command has to push it
			must(t, err)
		}
	}
	if distinct := slices.Compact(slices.Sorted(maps.Values(digests))); len(digests) != 3 || len(distinct) != 1 {
		t.Errorf("three ways give %v", digests)
	}
}

var (
	yamlBlock    = regexp.MustCompile("(?s)```yaml\n(.*?)```")
	indentedLine = regexp.MustCompile(`(?m)^    (\S.*(?:\n      .*)*)$`) // continuation lines are indented more
)

// useIt returns the build file and the commands of the section "Use it".
func useIt(t *testing.T) (file string, commands []string) {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join("..", "README.md"))
	must(t, err)
	_, section, _ := strings.Cut(string(readme), "\n## Use it\n")
	section, _, _ = strings.Cut(section, "\n### ")
	block := yamlBlock.FindStringSubmatch(section)
	if block == nil {
		t.Fatal("README has no build file")
	}
	for _, m := range indentedLine.FindAllStringSubmatch(section, -1) {
		commands = append(commands, m[1])
	}
	return block[1], commands
}
