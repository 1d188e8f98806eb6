package integration

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// podSecurity is what a container may do, for a pod or a container.
type podSecurity struct {
	RunAsUser    string `yaml:"runAsUser"`
	Capabilities struct{ Drop, Add []string }
	Seccomp      struct{ Type string } `yaml:"seccompProfile"`
	AppArmor     struct{ Type string } `yaml:"appArmorProfile"`
}

// options returns the options of docker run that allow the same.
func (s podSecurity) options() (options []string) {
	if s.RunAsUser != "" {
		options = append(options, "--user", s.RunAsUser)
	}
	for _, name := range s.Capabilities.Drop {
		options = append(options, "--cap-drop", name)
	}
	for _, name := range s.Capabilities.Add {
		options = append(options, "--cap-add", name)
	}
	for name, profile := range map[string]string{"seccomp": s.Seccomp.Type, "apparmor": s.AppArmor.Type} {
		if profile != "" {
			options = append(options, "--security-opt", name+"="+strings.ToLower(profile))
		}
	}
	return options
}

// podOptions returns the options of docker run for the containers of a Job's pod.
func podOptions(t *testing.T, name string) []string {
	t.Helper()
	data, err := os.ReadFile(example(t, name))
	must(t, err)
	var job struct {
		Spec struct {
			Template struct {
				Spec struct {
					SecurityContext podSecurity `yaml:"securityContext"`
					Containers      []struct {
						SecurityContext podSecurity `yaml:"securityContext"`
					}
				}
			}
		}
	}
	must(t, yaml.Load(data, &job))
	pod := job.Spec.Template.Spec
	return append(pod.SecurityContext.options(), pod.Containers[0].SecurityContext.options()...)
}

// dockerOptions finds the security options in a command line of docker run, or in the options of a
// container.
var dockerOptions = regexp.MustCompile(`--(?:user|cap-drop|cap-add|security-opt)[ =]\S+`)

// stepInContainers runs the Build and Push step in samforge's image, with the container settings of
// each template and nothing of the machine but its network. The build executes something and makes
// files of another user. try runs docker run; base is an image with a shell.
func (b *bed) stepInContainers(t *testing.T, image, base string, try func(args ...string) result) {
	t.Helper()
	lines := map[string][]string{"step-kubernetes-job.yaml": podOptions(t, "ci/step-kubernetes-job.yaml")}
	for _, name := range []string{"step-harness-vm.yaml", "step-github-actions.yml"} {
		data, err := os.ReadFile(example(t, "ci/"+name))
		must(t, err)
		lines[name] = strings.Fields(strings.Join(dockerOptions.FindAllString(string(data), -1), " "))
	}
	work := t.TempDir()
	must(t, os.Chmod(work, 0o755))
	must(t, os.WriteFile(filepath.Join(work, "Dockerfile"), []byte("FROM "+base+"\nRUN echo made >/made && chown daemon /made\nFROM scratch\nCOPY --from=0 /made /made\n"), 0o644))
	for template, options := range lines {
		if len(options) < 6 {
			t.Fatalf("%s has the container settings %q", template, options)
		}
		ref := b.repo("ci/step:" + strings.TrimSuffix(template, filepath.Ext(template)))
		r := try(append(options, "--volume", work+":/work:ro", "--workdir", "/work", "--env", "PLUGIN_REPO="+b.repo("ci/step"),
			"--env", "PLUGIN_TAGS="+strings.TrimPrefix(ref, b.repo("ci/step:")), image)...)
		if lines := r.ok(t); len(lines) != 1 || lines[0] != ref+"@"+b.digestOfTag(ref) {
			t.Errorf("%s: stdout is %q", template, lines)
		}
		// Without any one of them, the step does not run: the templates have no setting too many.
		for n := 0; n+1 < len(options); n += 2 {
			if fewer := options[n] + " " + options[n+1]; !strings.HasPrefix(fewer, "--cap-add") && !strings.Contains(fewer, "seccomp") {
				continue // what takes rights away, or what this machine does not have
			}
			without := append(append([]string{}, options[:n]...), options[n+2:]...)
			if r := try(append(without, "--volume", work+":/work:ro", "--workdir", "/work", "--env", "PLUGIN_NO_PUSH=true", image)...); r.code == 0 {
				t.Errorf("%s does not need %s %s", template, options[n], options[n+1])
			}
		}
	}
}
