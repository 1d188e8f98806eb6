package release

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// shell runs a script in a folder, with these variables and no others but PATH and HOME.
func shell(t *testing.T, program, script, folder string, env ...string) (output string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, "-e", "-c", script)
	cmd.Dir = folder
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + folder}, env...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// uname puts a program uname first on PATH that says another system.
func uname(t *testing.T, system, machine string) (path string) {
	t.Helper()
	dir := t.TempDir()
	script := "#!/bin/sh\ncase $1 in -s) echo " + system + " ;; *) echo " + machine + " ;; esac\n"
	must(t, os.WriteFile(filepath.Join(dir, "uname"), []byte(script), 0o755))
	return "PATH=" + dir + ":" + os.Getenv("PATH")
}

func TestInstallScript(t *testing.T) {
	t.Parallel()
	address, files := releases(t)
	install := func(t *testing.T, folder, options string, env ...string) (string, int) {
		t.Helper()
		return shell(t, "sh", "curl -fsSL "+address+"/latest/download/install.sh | sh -s -- -u "+address+" "+options, folder, env...)
	}
	for name, options := range map[string]string{"the latest": "", "a version": "-v v1.2.3", "a version without v": "-v 1.2.3"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			work := t.TempDir()
			said, code := install(t, work, "-d "+work+"/bin "+options)
			if code != 0 || !strings.Contains(said, "samforge ") || !strings.Contains(said, `export PATH="`+work+`/bin:$PATH"`) {
				t.Fatalf("exit code %d:\n%s", code, said)
			}
			if left, err := filepath.Glob(work + "/bin/*"); err != nil || len(left) != 2 {
				t.Errorf("installed are %q, want samforge and samforge-bake", left)
			}
			if again, code := install(t, work, "-d "+work+"/bin", "PATH="+work+"/bin:"+os.Getenv("PATH")); code != 0 || strings.Contains(again, "PATH") {
				t.Errorf("an upgrade: exit code %d:\n%s", code, again)
			}
		})
	}
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		for name, c := range map[string]struct{ options, env, want string }{
			"another system":       {"", uname(t, "FreeBSD", "amd64"), "there is no release for FreeBSD on amd64, only for Linux, macOS and Windows on amd64 and arm64. Build it with Go (go install github.com/samforge/samforge/cmd/samforge@latest), or run samforge's container image"},
			"another architecture": {"", uname(t, "Linux", "riscv64"), "there is no release for Linux on riscv64"},
			"another version":      {"-v v9.9.9", "A=", "/download/v9.9.9/checksums.txt cannot be downloaded: is there such a version"},
			"another option":       {"-x", "A=", "usage: install.sh [-v VERSION] [-d FOLDER] [-u ADDRESS]"},
		} {
			work := t.TempDir()
			said, code := install(t, work, "-d "+work+"/bin "+c.options, c.env)
			if code != 1 || !strings.Contains(said, c.want) {
				t.Errorf("%s: exit code %d, want 1 and %q:\n%s", name, code, c.want, said)
			}
			if _, err := os.Stat(work + "/bin"); err == nil {
				t.Errorf("%s: something was installed", name)
			}
		}
	})
	t.Run("Windows", func(t *testing.T) {
		t.Parallel()
		work := t.TempDir()
		// The programs are Linux's here, so the folder can be looked at and samforge does not run.
		said, _ := install(t, work, "-d "+work+"/bin", uname(t, "MINGW64_NT-10.0-26100", "x86_64"))
		if found, err := filepath.Glob(work + "/bin/*.exe"); err != nil || len(found) != 2 {
			t.Errorf("installed are %q, want samforge.exe and samforge-bake.exe:\n%s", found, said)
		}
	})
	t.Run("a changed archive", func(t *testing.T) {
		t.Parallel()
		changed, other := releases(t)
		name := readConfig(t).archive(t, "linux", "amd64")
		other[name] = append(other[name], 0)
		work := t.TempDir()
		said, code := shell(t, "sh", "sh -s -- -u "+changed+" -d "+work+"/bin <<'END'\n"+string(files["install.sh"])+"\nEND", work)
		if code != 1 || !strings.Contains(said, "has the checksum ") || !strings.Contains(said, "do not use it") {
			t.Errorf("exit code %d:\n%s", code, said)
		}
	})
}

// The steps of action.yml, as a runner runs them.
func TestAction(t *testing.T) {
	t.Parallel()
	address, _ := releases(t)
	var action struct {
		Inputs map[string]struct{ Default string }
		Runs   struct {
			Using string
			Steps []struct {
				If, Shell, Run string
				Env            map[string]string
			}
		}
	}
	readYAML(t, "action.yml", &action)
	if got := action.Inputs["releases"].Default; got != "https://github.com/samforge/samforge/releases" {
		t.Errorf("releases are at %s", got)
	}
	top, err := filepath.Abs(repository)
	must(t, err)
	work := t.TempDir()
	must(t, os.WriteFile(work+"/path", nil, 0o644))
	values := strings.NewReplacer("${{ github.action_path }}", top, "${{ inputs.version }}", "v1.2.3", "${{ inputs.releases }}", address,
		"${{ inputs.args }}", `schema --kind "build file"`)
	var last string
	for _, step := range action.Runs.Steps {
		env := []string{"RUNNER_TEMP=" + work, "GITHUB_PATH=" + work + "/path"}
		for name, value := range step.Env {
			env = append(env, name+"="+values.Replace(value))
		}
		added, err := os.ReadFile(work + "/path")
		must(t, err)
		if folder := strings.TrimSpace(string(added)); folder != "" {
			env = append(env, "PATH="+folder+":"+os.Getenv("PATH"))
		}
		last, _ = shell(t, step.Shell, step.Run, work, env...)
	}
	// samforge has no such flag, and says so: it got the words as they are quoted.
	if want := "unknown flag: --kind"; !strings.Contains(last, want) {
		t.Errorf("the last step does not say %q:\n%s", want, last)
	}
}

// The script of the GitLab component, with its inputs in place.
func TestComponent(t *testing.T) {
	t.Parallel()
	address, _ := releases(t)
	text, err := os.ReadFile(filepath.Join(repository, "templates/samforge.yml"))
	must(t, err)
	head, body, ok := strings.Cut(string(text), "\n---\n")
	if !ok {
		t.Fatal("no spec before the jobs")
	}
	var spec struct {
		Spec struct {
			Inputs map[string]struct{ Default string }
		}
	}
	unmarshal(t, head, &spec)
	inputs := map[string]string{"version": "1.2.3", "args": "version", "builder": "tcp://buildkitd:1234", "releases": address}
	for name, input := range spec.Spec.Inputs {
		value, ok := inputs[name]
		if !ok {
			value = input.Default
		}
		body = strings.ReplaceAll(body, "$[[ inputs."+name+" ]]", value)
	}
	if strings.Contains(body, "$[[") {
		t.Errorf("an input is not declared:\n%s", body)
	}
	var jobs map[string]struct {
		Stage, Image string
		Variables    map[string]string
		Script       []string
	}
	unmarshal(t, body, &jobs)
	job := jobs["samforge"]
	work := t.TempDir()
	env := []string{"CI_PROJECT_DIR=" + work}
	for name, value := range job.Variables {
		env = append(env, name+"="+value)
	}
	said, code := shell(t, "bash", strings.Join(append(job.Script, `echo "on $BUILDKIT_HOST"`), "\n"), work, env...)
	if code != 0 || !strings.Contains(said, "samforge ") || !strings.Contains(said, "on tcp://buildkitd:1234") {
		t.Errorf("exit code %d:\n%s", code, said)
	}
}
