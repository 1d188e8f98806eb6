package ci

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/samforge/samforge/internal/credentials"
	"github.com/samforge/samforge/internal/inputs"
	"github.com/samforge/samforge/internal/project"
)

// checkRegistry refuses what is no registry: an image must not go to Docker Hub by mistake.
func checkRegistry(setting, value string) error {
	if value == "" {
		return nil
	}
	if err := checkAddress(setting, value); err != nil {
		return err
	}
	if of := host(value); of != "docker.io" {
		if _, err := name.NewRegistry(of, name.StrictValidation); err != nil {
			return fmt.Errorf("%s: %q is no registry: give its host, such as registry.example.com", setting, value)
		}
	}
	return nil
}

// checkAddress refuses an address with a password, which it does not show.
func checkAddress(setting, value string) error {
	_, address, found := strings.Cut(value, "://")
	if !found {
		address = value
	}
	if of, _, _ := strings.Cut(address, "/"); strings.Contains(of, "@") && !strings.Contains(of, "@sha256:") {
		return fmt.Errorf("%s has a user in front of its host: give it with PLUGIN_USERNAME and PLUGIN_PASSWORD, or PLUGIN_BASE_IMAGE_USERNAME and PLUGIN_BASE_IMAGE_PASSWORD", setting)
	}
	return nil
}

// checkFolders refuses a build context or a Dockerfile that is not there.
func (s *Step) checkFolders(d project.Dockerfile) error {
	if credentials.In(d.Context) {
		return errors.New("PLUGIN_CONTEXT has a user or a password in its address, which would be recorded with the image: leave it out, and give the token with PLUGIN_SECRETS_FROM_ENV=GIT_AUTH_TOKEN=VARIABLE")
	}
	if project.IsAddress(d.Context) {
		return nil
	}
	name := "PLUGIN_CONTEXT"
	if s.subPath != "" {
		name = "PLUGIN_CONTEXT_SUB_PATH"
	}
	if err := project.CheckFolder(d.Context); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	file := d.File
	if file == "" {
		file = filepath.Join(d.Context, "Dockerfile")
	}
	if err := project.CheckFile(file); err != nil {
		return s.noDockerfile(file, err)
	}
	return nil
}

// noDockerfile says where the Dockerfile was looked for, if no setting names another.
func (s *Step) noDockerfile(file string, err error) error {
	if s.dockerfile != "" && s.dockerfile != "Dockerfile" || strings.Contains(err.Error(), "did you mean") {
		return fmt.Errorf("PLUGIN_DOCKERFILE: %w", err)
	}
	folder, absolute := filepath.Abs(filepath.Dir(file))
	if _, there := os.Stat(file); absolute != nil || !errors.Is(there, fs.ErrNotExist) {
		return fmt.Errorf("PLUGIN_DOCKERFILE: %w", err)
	}
	return fmt.Errorf("PLUGIN_DOCKERFILE: there is no Dockerfile in %s: put one there, or name its path with PLUGIN_DOCKERFILE, and the folder of its files with PLUGIN_CONTEXT", folder)
}

// pushing reports whether an output pushes an image.
func pushing(output string) bool {
	fields := strings.Split(output, ",")
	return slices.Contains(fields, "type=registry") || slices.Contains(fields, "push=true")
}

// checkProxies refuses a proxy with a password if an attestation would record it: it is a build
// argument.
func (s *Step) checkProxies(attests []string) error {
	records := slices.ContainsFunc(attests, func(attest string) bool {
		fields := strings.Split(attest, ",")
		return slices.Contains(fields, "type=provenance") && slices.Contains(fields, "mode=max")
	})
	for name, value := range s.proxies() {
		if records && credentials.In(value) {
			return fmt.Errorf("%s has a password, which provenance with mode=max would record: leave mode=max out, or name a proxy without a password", name)
		}
	}
	return nil
}

// withoutUser returns the address of a web page or of a repository without a user and a password,
// which CI systems put into the addresses that they clone from.
func withoutUser(address string) string {
	if !credentials.In(address) {
		return address
	}
	parsed, err := url.Parse(address)
	if err != nil {
		return ""
	}
	parsed.User = nil
	return parsed.String()
}

// settingOf are the settings for flags that mistakes name.
var settingOf = map[string]string{
	"--platform": "PLUGIN_PLATFORM", "--add-host": "PLUGIN_ADD_HOST", "--secret": "PLUGIN_SECRET", "--cache-from": "PLUGIN_CACHE_FROM", "--cache-to": "PLUGIN_CACHE_TO",
	"--build-arg": "PLUGIN_BUILD_ARGS", "--output": "PLUGIN_TAR_PATH or PLUGIN_OCI_LAYOUT_PATH", "--metadata-file": "PLUGIN_METADATA_FILE",
}

// inSettings returns a mistake that begins with a flag as one of the setting that the flag is here.
func (s *Step) inSettings(err error) error {
	var input *project.InputError
	if !errors.As(err, &input) {
		return err
	}
	if len(s.bakeFiles) > 0 {
		return project.BadInput(fmt.Errorf("PLUGIN_BAKE_FILE: %w", err))
	}
	var stage *inputs.StageError
	if errors.As(err, &stage) {
		return project.BadInput(fmt.Errorf("PLUGIN_TARGET: %w", err))
	}
	flag, rest, _ := strings.Cut(err.Error(), " ")
	flag = strings.TrimSuffix(flag, ":")
	byFlag := func(option string) bool { return option == flag || strings.HasPrefix(option, flag+"=") }
	switch setting := settingOf[flag]; {
	case !strings.HasPrefix(flag, "--"):
		return err
	case setting == "" || slices.ContainsFunc(s.buildxOptions, byFlag):
		return project.BadInput(fmt.Errorf("PLUGIN_BUILDX_OPTIONS: %w", err))
	default:
		return project.BadInput(errors.New(setting + ": " + rest))
	}
}

// secrets returns the secrets of the build.
func (s *Step) secrets() (secrets []string, err error) {
	from := map[string]string{} // settings, by the IDs of secrets
	for _, list := range []struct {
		setting, kind, form string
		items               []string
		there               func(string) bool
	}{
		{"PLUGIN_SECRETS_FROM_ENV", "env", "ID=VARIABLE", s.secretsFromEnv, s.isSet},
		{"PLUGIN_SECRETS_FROM_FILE", "src", "ID=PATH", s.secretsFromFile, isFile},
	} {
		for n, item := range list.items {
			id, value, ok := strings.Cut(item, "=")
			switch { // no sentence shows what may be the secret itself
			case !ok || id == "" || value == "":
				return nil, fmt.Errorf("%s: entry %d of %d is not of the form %s", list.setting, n+1, len(list.items), list.form)
			case !list.there(value) && list.kind == "env":
				return nil, fmt.Errorf("%s: what is given for the secret %s is the name of no variable: give the name, not the value, and set the variable", list.setting, id)
			case !list.there(value):
				return nil, fmt.Errorf("%s: what is given for the secret %s is the path of no file", list.setting, id)
			}
			if other, taken := from[id]; taken {
				return nil, fmt.Errorf("%s: the secret %s is given twice (%s): rename one", list.setting, id, other)
			}
			from[id] = list.setting
			secrets = append(secrets, "id="+id+","+list.kind+"="+value)
		}
	}
	if s.secret != "" {
		secrets = append(secrets, s.secret)
	}
	slices.Sort(secrets)
	return append(secrets, s.furtherSecrets...), nil
}

func (s *Step) isSet(variable string) bool {
	_, set := s.environment[variable]
	return set
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
