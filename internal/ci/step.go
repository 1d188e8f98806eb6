package ci

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/distribution/reference"

	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/internal/registry"
	"github.com/samforge/samforge/internal/userfile"
	"github.com/samforge/samforge/llbgen"
)

// Step is a step with its settings.
type Step struct {
	environment map[string]string

	// What the image is called.
	repo, registry           string
	tags                     []string
	autoTag, expandTag       bool
	autoTagSuffix            string
	commitRef, defaultBranch string
	commit, remoteURL        string
	repoLink                 string
	autoLabel                bool
	labels, labelSchema      []string

	// How it is built.
	dockerfile, context, subPath, target string
	buildArgs, buildArgsNew, argsFromEnv []string
	multipleArgs                         bool
	platforms, addHosts                  []string
	noCache, quiet, reproducible         bool
	buildxOptions                        []string
	builder, network                     string
	buildContexts                        []string
	// What only flags of docker buildx build say.
	buildxArgs, furtherLabels, annotations, attests []string
	furtherSecrets, ssh, furtherOutputs             []string
	furtherRefs                                     []string
	attrs                                           map[string]string

	// Where it goes.
	noPush, skipIfExists      bool
	skipPushCheck             bool
	tarPath, tarFormat        string
	layoutPath                string
	artifactFile, outputFile  string
	registryType              string
	metadataFile              string
	pushOnly                  bool
	sourceTar                 string
	bakeFiles, bakeOptions    []string
	envFile, caPath           string
	digestFile, tagDigestFile string
	cardPath                  string
	cosign                    cosign

	// Credentials.
	push, base                      login
	accessToken, dockerConfig       string
	secretsFromEnv, secretsFromFile []string
	secret, sshKey                  string

	// Amazon ECR.
	aws                               registry.AWS
	account                           string
	createRepository                  bool
	repositories                      registry.RepositorySettings
	lifecyclePolicy, repositoryPolicy string

	// Other clouds.
	jsonKey, oidcToken                string
	projectNumber, poolID, providerID string
	serviceAccount                    string
	azure                             registry.Azure
	clientSecret                      string

	// Caches.
	cacheFrom, cacheTo       []string
	enableCache              bool
	cacheRepo                string
	cacheKeys                cacheKeys
	inheritAuth              bool
	pathStyle, cacheInsecure bool

	reach   reach
	silence time.Duration // how long a registry may send nothing; 0 means what the options say
}

// login are the credentials for a registry.
type login struct{ registry, username, password string }

func newStep(environment map[string]string) *Step {
	return &Step{environment: environment, context: ".", autoLabel: true, tarFormat: "docker"}
}

// ErrNothing says that there is nothing to build: no tag is made for the commit's branch.
var ErrNothing = errors.New("nothing is built")

// Dockerfile returns the image of the step.
func (s *Step) Dockerfile(ctx context.Context) (project.Dockerfile, error) {
	d := project.Dockerfile{Context: s.context, File: s.dockerfile, Stage: s.target, Platforms: s.platforms, BuildContexts: s.buildContexts, Attrs: s.attrs}
	address := project.IsAddress(s.context)
	switch {
	case s.subPath != "" && address:
		d.Context = inRepository(s.context, s.subPath)
	case s.subPath != "":
		d.Context = filepath.Join(s.context, s.subPath)
	}
	if d.File == "" && !address {
		if _, err := os.Stat("Dockerfile"); err == nil && d.Context != "." {
			d.File = "Dockerfile" // as drone-docker, whose default is a path in the current folder
		}
	}
	var err error
	if d.Args, err = s.args(); err != nil {
		return d, err
	}
	if d.Args[llbgen.EpochArg] == "" {
		if at, ok := s.commitTime(ctx); ok {
			d.Args[llbgen.EpochArg] = fmt.Sprint(at.Unix())
		}
	}
	if d.Refs, err = s.references(); err != nil || s.pushOnly {
		return d, err
	}
	return d, s.checkFolders(d)
}

// inRepository returns the address of a folder in a git repository: what follows the sign # is
// REFERENCE:FOLDER.
func inRepository(address, folder string) string {
	repository, fragment, _ := strings.Cut(address, "#")
	ref, parent, _ := strings.Cut(fragment, ":")
	return repository + "#" + ref + ":" + path.Join(parent, folder)
}

// args returns the build arguments.
func (s *Step) args() (map[string]string, error) {
	args := map[string]string{}
	given, name := s.buildArgs, "PLUGIN_BUILD_ARGS"
	if s.multipleArgs || len(given) == 0 {
		given, name = s.buildArgsNew, "PLUGIN_BUILD_ARGS_NEW"
	}
	for i, arg := range slices.Concat(given, s.buildxArgs) {
		if i == len(given) {
			name = "PLUGIN_BUILDX_OPTIONS"
		}
		key, value, ok := strings.Cut(arg, "=")
		if !ok {
			value, ok = s.environment[key]
		}
		if key == "" {
			return nil, fmt.Errorf("%s: %q has no name before the sign =", name, arg)
		}
		if ok {
			args[key] = value
		}
	}
	for _, key := range s.argsFromEnv {
		if value, ok := s.environment[key]; ok {
			args[key] = value
		}
	}
	s.addProxies(args)
	if epoch := s.environment[llbgen.EpochArg]; epoch != "" && args[llbgen.EpochArg] == "" {
		args[llbgen.EpochArg] = epoch
	}
	if epoch := args[llbgen.EpochArg]; epoch != "" && epoch != "context" {
		if _, err := llbgen.ParseEpoch(epoch); err != nil {
			return nil, err
		}
	}
	return args, nil
}

// proxies returns the proxies of the environment, by the names of their variables.
func (s *Step) proxies() map[string]string {
	found := map[string]string{}
	for _, proxy := range []string{"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"} {
		found[proxy] = cmp.Or(s.environment[proxy], s.environment[strings.ToLower(proxy)], s.environment["HARNESS_"+proxy])
	}
	return found
}

// addProxies adds the proxies of the environment to build arguments that have none.
func (s *Step) addProxies(args map[string]string) {
	for proxy, value := range s.proxies() {
		if _, given := args[proxy]; value != "" && !given {
			args[proxy], args[strings.ToLower(proxy)] = value, value
		}
	}
}

// commitTime returns the time of the commit that is checked out in the build context.
func (s *Step) commitTime(ctx context.Context) (time.Time, bool) {
	cmd := exec.CommandContext(ctx, "git", "-c", "safe.directory=*", "-C", cmp.Or(s.context, "."), "log", "-1", "--format=%cI")
	out, err := cmd.Output()
	if err != nil {
		return time.Time{}, false // no checkout, or no git
	}
	at, err := time.Parse(time.RFC3339, string(bytes.TrimSpace(out)))
	return at, err == nil
}

// repository returns the repository of the image with its registry.
func (s *Step) repository() (string, error) {
	repo := strings.TrimSuffix(s.repo, "/")
	if repo == "" {
		return "", nil
	}
	if err := checkAddress("PLUGIN_REPO", repo); err != nil {
		return "", err
	}
	if strings.Contains(repo, "://") {
		return "", fmt.Errorf("PLUGIN_REPO: %q has a scheme: leave it out, as in registry.example.com/team/app", repo)
	}
	repo = s.below(repo)
	named, err := reference.ParseNormalizedNamed(repo)
	if err != nil {
		return "", fmt.Errorf("PLUGIN_REPO: %q is not a repository: %w", repo, err)
	}
	if !reference.IsNameOnly(named) {
		return "", fmt.Errorf("PLUGIN_REPO: %s has a tag or a digest: name the tag with PLUGIN_TAGS", repo)
	}
	return repo, nil
}

// below returns a repository with PLUGIN_REGISTRY in front, unless it is there.
func (s *Step) below(repo string) string {
	registry := withPath(s.registry)
	of, _, _ := strings.Cut(registry, "/")
	if of == "" || of == "docker.io" || repo == of || strings.HasPrefix(repo, of+"/") {
		return repo
	}
	return registry + "/" + repo
}

// withPath returns the host of a registry, and the path below it that all repositories are in, such
// as the project of Google's Artifact Registry. The path of an address with a scheme, and v1 or v2,
// are those of the registry's API.
func withPath(registry string) string {
	of := host(registry)
	_, path, _ := strings.Cut(strings.Trim(registry, " /"), "/")
	if path == "" || path == "v1" || path == "v2" || strings.Contains(registry, "://") {
		return of
	}
	return of + "/" + path
}

// host returns the host of a registry, which the steps also take with a scheme and a path. Docker
// Hub's old address is that of docker.io.
func host(registry string) string {
	registry = strings.TrimSpace(registry)
	if strings.Contains(registry, "://") {
		if parsed, err := url.Parse(registry); err == nil {
			registry = parsed.Host
		}
	}
	registry, _, _ = strings.Cut(registry, "/")
	if slices.Contains([]string{"index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"}, registry) {
		return "docker.io"
	}
	return registry
}

// references returns the references of the image; none without a repository.
func (s *Step) references() ([]string, error) {
	repo, err := s.repository()
	if err != nil {
		return nil, err
	}
	if repo == "" {
		if s.pushOnly {
			return nil, errors.New("PLUGIN_REPO is missing: name the repository that the image is pushed to")
		}
		if s.pushes() {
			return nil, errors.New("PLUGIN_REPO is missing: name the repository of the image, or set PLUGIN_NO_PUSH")
		}
		return nil, nil
	}
	tags, from, err := s.allTags()
	if err != nil {
		return nil, err
	}
	var refs []string
	for _, tag := range tags {
		if !reference.TagRegexp.MatchString(tag) || reference.TagRegexp.FindString(tag) != tag {
			return nil, fmt.Errorf("%s: the tag %q is not legal: at most 128 letters, digits, dots, dashes and underscores, with a letter, a digit or an underscore first", from, tag)
		}
		if ref := repo + ":" + tag; !slices.Contains(refs, ref) {
			refs = append(refs, ref)
		}
	}
	for _, ref := range s.furtherRefs {
		named, err := reference.ParseNormalizedNamed(ref)
		if err != nil {
			return nil, fmt.Errorf("PLUGIN_BUILDX_OPTIONS: --tag %s: %w", ref, err)
		}
		if ref = reference.FamiliarString(reference.TagNameOnly(named)); !slices.Contains(refs, ref) {
			refs = append(refs, ref)
		}
	}
	return refs, nil
}

func (s *Step) pushes() bool { return !s.noPush }

// tagsFile is a file with tags, separated by commas or lines, that earlier steps write.
const tagsFile = ".tags"

// allTags returns the tags of the image, and what they are from: a setting, or a file.
func (s *Step) allTags() (tags []string, from string, err error) {
	if s.autoTag && s.expandTag {
		return nil, "", errors.New("PLUGIN_AUTO_TAG and PLUGIN_EXPAND_TAG contradict each other: set one of them")
	}
	if s.autoTag {
		tags, err = autoTags(s.commitRef, s.defaultBranch, s.autoTagSuffix)
		return tags, "PLUGIN_AUTO_TAG and PLUGIN_AUTO_TAG_SUFFIX", err
	}
	tags, from = s.tags, "PLUGIN_TAGS"
	if len(tags) == 0 {
		data, err := userfile.Read(tagsFile, 1<<20)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, "", fmt.Errorf("read the file %s: %w", tagsFile, err)
		}
		from = "the file " + tagsFile
		tags = strings.FieldsFunc(string(data), func(r rune) bool { return r == ',' || r == '\n' || r == '\r' || r == ' ' })
	}
	if len(tags) == 0 {
		tags = []string{"latest"}
	}
	if !s.expandTag {
		return tags, from, nil
	}
	var expanded []string
	for _, tag := range tags {
		expanded = append(expanded, versionTags(tag)...)
	}
	return expanded, from, nil
}
