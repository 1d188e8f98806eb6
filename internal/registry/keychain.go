package registry

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"sync"
	"time"

	"github.com/docker/cli/cli/config"
	"github.com/docker/cli/cli/config/configfile"
	"github.com/docker/cli/cli/config/credentials"
	"github.com/docker/cli/cli/config/types"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/authn/github"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/google"
	"golang.org/x/sync/singleflight"

	"github.com/samforge/samforge/internal/printer"
	"github.com/samforge/samforge/internal/userfile"
)

// Keychain finds the credentials for a registry. It looks, in this order, in: DOCKER_AUTH_CONFIG,
// Docker's config.json with its credential helpers, Podman's auth.json, and the clouds that the
// registry may belong to (ECR, Artifact Registry, ACR, GitHub). If none has credentials, or a
// helper fails, samforge uses the registry without credentials.
//
// An answer is kept for a few minutes. A Keychain is safe for concurrent use.
type Keychain struct {
	warn           func(sentence string)
	clouds         []cloud
	amazon         amazon
	helperPatience time.Duration
	logins         []Login

	read   sync.Once
	docker *configfile.ConfigFile
	podman *configfile.ConfigFile // nil if there is none

	asking singleflight.Group // one lookup for a registry at a time
	mu     sync.Mutex         // guards the fields below
	found  map[string]answer
	warned map[string]bool
}

// cloud is the keychain of one cloud. For registries of others it answers at once.
type cloud struct {
	name string
	authn.Keychain
}

// answer is the result of a lookup for a registry.
type answer struct {
	config authn.AuthConfig
	at     time.Time
}

const (
	// keep is how long an answer is valid: Google's tokens can expire after 5 minutes.
	keep = 4*time.Minute + 50*time.Second
	// patience limits a cloud's keychain, which may run a program or call a metadata service.
	patience = 10 * time.Second
	// helperPatience limits a credential helper, which may ask the user for a password.
	helperPatience = time.Minute
	// maxConfig is the maximum size in bytes of a file with credentials.
	maxConfig = 4 << 20
)

var _ authn.ContextKeychain = (*Keychain)(nil)

// NewKeychain returns a Keychain that reads its files when it is first used. It calls warn, at most
// once for each reason, if configured credentials cannot be obtained. identity is the one that
// Amazon ECR's credentials are for.
func NewKeychain(warn func(sentence string), identity AWS) *Keychain {
	return &Keychain{
		warn:           warn,
		helperPatience: helperPatience,
		amazon:         amazon{identity},
		clouds: []cloud{
			{"Google Cloud", google.Keychain},
			{"GitHub", github.Keychain},
			{"AWS", amazon{identity}},
			{"Azure", azureKeychain{}},
		},
		found:  map[string]answer{},
		warned: map[string]bool{},
	}
}

// Resolve returns the credentials for a registry or a repository.
func (k *Keychain) Resolve(target authn.Resource) (authn.Authenticator, error) {
	return k.ResolveContext(context.Background(), target)
}

// ResolveContext returns the credentials for a registry or a repository. It never fails.
func (k *Keychain) ResolveContext(ctx context.Context, target authn.Resource) (authn.Authenticator, error) {
	found := k.given(ctx, target)
	if found == (authn.AuthConfig{}) {
		found = k.kept("cloud "+target.RegistryStr(), func() authn.AuthConfig { return k.fromClouds(context.WithoutCancel(ctx), target) })
	}
	if found == (authn.AuthConfig{}) {
		return authn.Anonymous, nil
	}
	secrets := printer.FromContext(ctx)
	secrets.AddLogin(found.Username, found.Password)
	secrets.Add(found.Auth, found.IdentityToken, found.RegistryToken)
	return authn.FromConfig(found), nil
}

// given returns the credentials for a registry or a repository that are on this machine.
func (k *Keychain) given(ctx context.Context, target authn.Resource) authn.AuthConfig {
	k.read.Do(func() { k.docker, k.podman = k.readDocker(), k.readPodman() })
	if login := k.fromLogins(target); login != (authn.AuthConfig{}) {
		return login
	}
	found := k.kept("docker "+target.RegistryStr(), func() authn.AuthConfig { return k.fromDocker(ctx, target) })
	if found == (authn.AuthConfig{}) {
		found = k.fromPodman(target)
	}
	return found
}

// Require returns why AWS gives no credentials for the repository of a reference. It returns nil if
// there are some, or if the repository is not in a private registry of Amazon ECR, which nobody uses
// without. Mistakes in the settings are a [*CloudError].
func (k *Keychain) Require(ctx context.Context, ref string) error {
	parsed, err := name.ParseReference(ref)
	if err != nil {
		return nil // which is no reference
	}
	target := parsed.Context()
	host, ok := parseECR(target.RegistryStr())
	if !ok || host.public() || k.given(ctx, target) != (authn.AuthConfig{}) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, cloudPatience)
	defer cancel()
	k.kept("cloud "+target.RegistryStr(), func() (found authn.AuthConfig) {
		var auth authn.Authenticator
		if auth, err = k.amazon.ResolveContext(ctx, target); err != nil {
			return authn.AuthConfig{}
		}
		var config *authn.AuthConfig
		if config, err = auth.Authorization(); err != nil {
			return authn.AuthConfig{}
		}
		return *config
	})
	return err
}

// kept returns what find found a short while ago, or else calls find.
func (k *Keychain) kept(key string, find func() authn.AuthConfig) authn.AuthConfig {
	value, _, _ := k.asking.Do(key, func() (any, error) {
		k.mu.Lock()
		known, ok := k.found[key]
		k.mu.Unlock()
		if ok && time.Since(known.at) < keep {
			return known.config, nil
		}
		found := find()
		k.mu.Lock()
		defer k.mu.Unlock()
		k.found[key] = answer{found, time.Now()}
		return found, nil
	})
	return value.(authn.AuthConfig)
}

// tell warns, once.
func (k *Keychain) tell(format string, args ...any) {
	sentence := fmt.Sprintf(format, args...)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.warn != nil && !k.warned[sentence] {
		k.warned[sentence] = true
		k.warn(sentence)
	}
}

// readDocker reads Docker's config.json. It returns an empty config if the file does not exist or
// cannot be read.
func (k *Keychain) readDocker() *configfile.ConfigFile {
	k.dropBadEnvironment()
	dir := cmp.Or(os.Getenv(config.EnvOverrideConfigDir), config.Dir())
	name := filepath.Join(dir, config.ConfigFileName)
	file := configfile.New(name)
	_, err := userfile.Read(name, maxConfig)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		file, err = config.Load(dir)
	}
	if err != nil {
		k.tell("registries are used without the credentials of the Docker config: %v", err)
	}
	if !file.ContainsAuth() {
		file.CredentialsStore = credentials.DetectDefaultStore(file.CredentialsStore)
	}
	return file
}

// fromDocker looks in Docker's config and calls the credential helper that it names. docker would
// wait for the helper without end.
func (k *Keychain) fromDocker(ctx context.Context, target authn.Resource) authn.AuthConfig {
	host := target.RegistryStr()
	found, err := within(ctx, k.helperPatience, func(context.Context) (types.AuthConfig, error) { return k.docker.GetAuthConfig(host) })
	if ctx.Err() != nil {
		return authn.AuthConfig{}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		k.tell("the credential helper of %s gives no credentials for %s within %s; the registry is used without them", k.docker.Filename, host, k.helperPatience)
	} else if err != nil {
		if helper := k.helper(host); helper != "" {
			k.tell("%s names the credential helper %s, which is not on PATH; its registries are used without credentials",
				k.docker.Filename, helper)
		} else {
			k.tell("%s is used without credentials: %v", host, err)
		}
	}
	return authConfig(found)
}

// helper returns the program that config.json names for a registry, if that program is not
// installed.
func (k *Keychain) helper(host string) string {
	if host == name.DefaultRegistry {
		host = authn.DefaultAuthKey
	}
	helper := cmp.Or(k.docker.CredentialHelpers[host], k.docker.CredentialsStore)
	if helper == "" {
		return ""
	}
	program := "docker-credential-" + helper
	if _, err := exec.LookPath(program); err == nil {
		return ""
	}
	return program
}

// readPodman reads Podman's credentials from the place that containers-auth.json(5) names.
func (k *Keychain) readPodman() *configfile.ConfigFile {
	home, _ := os.UserHomeDir()
	files := []string{
		os.Getenv("REGISTRY_AUTH_FILE"),
		filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "containers", "auth.json"),
		filepath.Join(cmp.Or(os.Getenv("XDG_CONFIG_HOME"), filepath.Join(home, ".config")), "containers", "auth.json"),
	}
	for _, file := range files {
		if !filepath.IsAbs(file) && file != files[0] || file == "" {
			continue
		}
		data, err := userfile.Read(file, maxConfig)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var read *configfile.ConfigFile
		if err == nil {
			read, err = config.LoadFromReader(bytes.NewReader(data))
		}
		if err != nil {
			k.tell("registries are used without the credentials of %s: %v", file, err)
			return nil
		}
		return read
	}
	return nil
}

// fromPodman looks up the repository, the names above it, and the registry, as Podman does.
func (k *Keychain) fromPodman(target authn.Resource) authn.AuthConfig {
	if k.podman == nil {
		return authn.AuthConfig{}
	}
	for key := target.String(); key != "." && key != "/"; key = path.Dir(key) {
		if found := authConfig(k.podman.AuthConfigs[key]); found != (authn.AuthConfig{}) {
			return found
		}
	}
	found, err := k.podman.GetAuthConfig(target.RegistryStr())
	if err != nil {
		k.tell("%s is used without credentials: %v", target.RegistryStr(), err)
	}
	return authConfig(found)
}

// fromClouds tries the clouds in their order.
func (k *Keychain) fromClouds(ctx context.Context, target authn.Resource) authn.AuthConfig {
	for _, c := range k.clouds {
		if found := k.fromCloud(ctx, c, target); found != (authn.AuthConfig{}) {
			return found
		}
	}
	return authn.AuthConfig{}
}

// fromCloud calls a cloud's keychain, with a time limit.
func (k *Keychain) fromCloud(ctx context.Context, c cloud, target authn.Resource) authn.AuthConfig {
	found, err := within(ctx, patience, func(ctx context.Context) (*authn.AuthConfig, error) {
		auth, err := authn.Resolve(ctx, c.Keychain, target)
		if err != nil || auth == authn.Anonymous {
			return &authn.AuthConfig{}, err
		}
		return authn.Authorization(ctx, auth)
	})
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		k.tell("%s gives no credentials for %s within %s; the registry is used without them", c.name, target.RegistryStr(), patience)
	case err != nil:
		k.tell("%s gives no credentials for %s; the registry is used without them: %v", c.name, target.RegistryStr(), err)
	default:
		return *found
	}
	return authn.AuthConfig{}
}

// within returns the result of ask, or the error of ctx or of the limit if that ends first. Few
// keychains stop when a context ends, so one that hangs is left behind.
func within[T any](ctx context.Context, limit time.Duration, ask func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	type answer struct {
		found T
		err   error
	}
	done := make(chan answer, 1)
	go func() {
		found, err := ask(ctx)
		done <- answer{found, err}
	}()
	select {
	case a := <-done:
		return a.found, a.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// authConfig converts credentials of the Docker configuration; the server address is not a
// credential.
func authConfig(found types.AuthConfig) authn.AuthConfig {
	return authn.AuthConfig{
		Username:      found.Username,
		Password:      found.Password,
		Auth:          found.Auth,
		IdentityToken: found.IdentityToken,
		RegistryToken: found.RegistryToken,
	}
}
