package registry

import (
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

	"github.com/chrismellard/docker-credential-acr-env/pkg/credhelper"
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
)

// Keychain finds the credentials for a registry. It asks, in this order: DOCKER_AUTH_CONFIG, Docker's config.json with
// its credential helpers, Podman's auth.json, and the clouds that the registry may belong to (ECR, Artifact Registry,
// ACR, GitHub). Where none has any, or a helper fails, the registry is asked without credentials.
//
// An answer is kept for a few minutes. A Keychain is safe for concurrent use.
type Keychain struct {
	warn   func(sentence string)
	clouds []cloud

	read   sync.Once
	docker *configfile.ConfigFile
	podman *configfile.ConfigFile // nil where there is none

	asking singleflight.Group // one question about a registry at a time
	mu     sync.Mutex         // of what is below
	found  map[string]answer
	warned map[string]bool
}

// cloud is the keychain of one cloud. It answers at once for registries that are not that cloud's.
type cloud struct {
	name string
	authn.Keychain
}

// answer is what was found for a registry.
type answer struct {
	config authn.AuthConfig
	at     time.Time
}

const (
	// keep is how long an answer is good for: Google's tokens can end after 5 minutes.
	keep = 4*time.Minute + 50*time.Second
	// patience bounds a cloud's keychain, which may run a program or ask a metadata service.
	patience = 10 * time.Second
)

var _ authn.ContextKeychain = (*Keychain)(nil)

// NewKeychain returns a Keychain that reads its files at the first question. It calls warn, at most once for each reason,
// when credentials that are configured cannot be had.
func NewKeychain(warn func(sentence string)) *Keychain {
	return &Keychain{
		warn: warn,
		clouds: []cloud{
			{"Google Cloud", google.Keychain},
			{"GitHub", github.Keychain},
			{"AWS", amazon{}},
			{"Azure", authn.NewKeychainFromHelper(credhelper.NewACRCredentialsHelper())},
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
	k.read.Do(func() { k.docker, k.podman = k.readDocker(), k.readPodman() })
	host := target.RegistryStr()
	found := k.kept("docker "+host, func() authn.AuthConfig { return k.fromDocker(target) })
	if found == (authn.AuthConfig{}) {
		found = k.fromPodman(target)
	}
	if found == (authn.AuthConfig{}) {
		found = k.kept("cloud "+host, func() authn.AuthConfig { return k.fromClouds(context.WithoutCancel(ctx), target) })
	}
	if found == (authn.AuthConfig{}) {
		return authn.Anonymous, nil
	}
	secrets := printer.FromContext(ctx)
	secrets.AddLogin(found.Username, found.Password)
	secrets.Add(found.Auth, found.IdentityToken, found.RegistryToken)
	return authn.FromConfig(found), nil
}

// kept returns what find found a short while ago, or finds now.
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

// readDocker reads Docker's config.json. It returns an empty one where there is none, or none that can be read.
func (k *Keychain) readDocker() *configfile.ConfigFile {
	file, err := config.Load(cmp.Or(os.Getenv(config.EnvOverrideConfigDir), config.Dir()))
	if err != nil {
		k.tell("registries are used without the credentials of the Docker config: %v", err)
	}
	if !file.ContainsAuth() {
		file.CredentialsStore = credentials.DetectDefaultStore(file.CredentialsStore)
	}
	return file
}

func (k *Keychain) fromDocker(target authn.Resource) authn.AuthConfig {
	host := target.RegistryStr()
	found, err := k.docker.GetAuthConfig(host)
	if err != nil {
		if helper := k.helper(host); helper != "" {
			k.tell("%s names the credential helper %s, which is not on PATH; its registries are used without credentials",
				k.docker.Filename, helper)
		} else {
			k.tell("%s is used without credentials: %v", host, err)
		}
	}
	return authConfig(found)
}

// helper returns the program that config.json names for a registry, where that is not installed.
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

// readPodman reads Podman's credentials, which stand where containers-auth.json(5) says.
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
		f, err := os.Open(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var read *configfile.ConfigFile
		if err == nil {
			read, err = config.LoadFromReader(f)
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			k.tell("registries are used without the credentials of %s: %v", file, err)
			return nil
		}
		return read
	}
	return nil
}

// fromPodman asks for the repository, what stands above it, and the registry, as Podman does.
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

// fromClouds asks the clouds in their order.
func (k *Keychain) fromClouds(ctx context.Context, target authn.Resource) authn.AuthConfig {
	for _, c := range k.clouds {
		if found := k.fromCloud(ctx, c, target); found != (authn.AuthConfig{}) {
			return found
		}
	}
	return authn.AuthConfig{}
}

// fromCloud asks a cloud's keychain, but not for long: few of them end with a context.
func (k *Keychain) fromCloud(ctx context.Context, c cloud, target authn.Resource) authn.AuthConfig {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	type result struct {
		found *authn.AuthConfig
		err   error
	}
	done := make(chan result, 1)
	go func() {
		auth, err := authn.Resolve(ctx, c.Keychain, target)
		if err != nil || auth == authn.Anonymous {
			done <- result{&authn.AuthConfig{}, err}
			return
		}
		found, err := authn.Authorization(ctx, auth)
		done <- result{found, err}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			k.tell("%s gives no credentials for %s, which is used without: %v", c.name, target.RegistryStr(), r.err)
			return authn.AuthConfig{}
		}
		return *r.found
	case <-ctx.Done():
		k.tell("%s gives no credentials for %s within %s, which is used without", c.name, target.RegistryStr(), patience)
		return authn.AuthConfig{}
	}
}

// authConfig takes what the Docker configuration has over; its server address is no credential.
func authConfig(found types.AuthConfig) authn.AuthConfig {
	return authn.AuthConfig{
		Username:      found.Username,
		Password:      found.Password,
		Auth:          found.Auth,
		IdentityToken: found.IdentityToken,
		RegistryToken: found.RegistryToken,
	}
}
