package ci

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/docker/cli/cli/config/configfile"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/samforge/samforge/internal/registry"
	"github.com/samforge/samforge/internal/userfile"
)

// configLogins returns the credentials of a Docker config, which is given as its text or its path.
func configLogins(config string) ([]registry.Login, error) {
	if config == "" {
		return nil, nil
	}
	text := []byte(config)
	if !strings.HasPrefix(strings.TrimSpace(config), "{") {
		var err error
		if text, err = userfile.Read(config, 4<<20); err != nil {
			return nil, fmt.Errorf("PLUGIN_CONFIG is no JSON and no file: %w", err)
		}
	}
	file := configfile.New("")
	if err := file.LoadFromReader(strings.NewReader(string(text))); err != nil {
		return nil, errors.New("PLUGIN_CONFIG: the text is not Docker's config.json") // its errors show the text
	}
	var logins []registry.Login
	for scope, auth := range file.AuthConfigs {
		scope = strings.TrimPrefix(strings.TrimPrefix(scope, "https://"), "http://")
		scope = strings.TrimSuffix(strings.TrimSuffix(scope, "/"), "/v1")
		if auth.Username != "" {
			logins = append(logins, registry.Login{Scope: strings.TrimSuffix(scope, "/v2"), Username: auth.Username, Password: auth.Password})
		}
	}
	return logins, nil
}

// sshAgent is an agent in this process that serves one key to builders.
type sshAgent struct {
	folder, socket string
	listener       net.Listener
}

// serveSSHKey starts an agent with the key of PLUGIN_SSH_AGENT_KEY. It returns nil without one. The key
// is in no file.
func (s *Step) serveSSHKey() (*sshAgent, error) {
	if s.sshKey == "" {
		return nil, nil
	}
	key, err := ssh.ParseRawPrivateKey([]byte(s.sshKey + "\n"))
	if err != nil {
		return nil, fmt.Errorf("PLUGIN_SSH_AGENT_KEY: the text is no private key without a passphrase: %w", err)
	}
	keyring := agent.NewKeyring()
	if err := keyring.Add(agent.AddedKey{PrivateKey: key}); err != nil {
		return nil, fmt.Errorf("PLUGIN_SSH_AGENT_KEY: %w", err)
	}
	a := &sshAgent{}
	if a.folder, err = os.MkdirTemp("", "samforge-ssh-"); err != nil {
		return nil, err
	}
	a.socket = filepath.Join(a.folder, "agent.sock")
	if a.listener, err = net.Listen("unix", a.socket); err != nil {
		a.close()
		return nil, err
	}
	go func() {
		for {
			conn, err := a.listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_ = agent.ServeAgent(keyring, conn)
			}()
		}
	}()
	return a, nil
}

func (a *sshAgent) close() {
	if a == nil {
		return
	}
	if a.listener != nil {
		_ = a.listener.Close()
	}
	_ = os.RemoveAll(a.folder)
}

// logins returns the credentials of the settings.
func (s *Step) logins(ctx context.Context) ([]registry.Login, error) {
	logins, err := configLogins(s.dockerConfig)
	if err != nil {
		return nil, err
	}
	push, err := s.cloudLogin(ctx)
	if err != nil {
		return nil, err
	}
	if s.push.username != "" {
		push = s.push
	}
	if s.accessToken != "" {
		push.username, push.password = "oauth2accesstoken", s.accessToken
	}
	repo, err := s.repository()
	if err != nil {
		return nil, err
	}
	var own []registry.Login
	scope := cmp.Or(host(s.registry), "docker.io") // of a bake file's images
	if len(s.bakeFiles) == 0 && repo != "" {
		scope = withRegistry(repo)
	}
	if push.username != "" {
		if repo == "" && len(s.bakeFiles) == 0 {
			return nil, errors.New("PLUGIN_USERNAME is for the registry of PLUGIN_REPO, which is missing")
		}
		own = append(own, registry.Login{Scope: scope, Username: push.username, Password: push.password})
		if cache := s.cacheRepository(); cache != "" {
			own = append(own, registry.Login{Scope: withRegistry(registry.Repository(cache)), Username: push.username, Password: push.password})
		}
	}
	if s.base.username != "" {
		of := host(s.base.registry)
		if of == "" {
			of = "docker.io"
		}
		own = append(own, registry.Login{Scope: of, Username: s.base.username, Password: s.base.password})
	}
	if push.username != "" { // also for base images there, if nothing else is given for them
		of, _, _ := strings.Cut(scope, "/")
		own = append(own, registry.Login{Scope: of, Username: push.username, Password: push.password})
	}
	return append(own, logins...), nil
}

// withRegistry returns a repository with its registry, also if that is Docker Hub.
func withRegistry(repo string) string { return registry.Repository(repo + ":latest") }

// Forget takes the settings out of the environment of this process, with all passwords and keys that a
// setting can be, so that no program that it starts has them, and no file the passwords that they get. Variables that secrets of the build come
// from are there afterwards, also those of PLUGIN_ENV_FILE. So are the ones that programs of a cloud
// read by themselves, such as AWS_ACCESS_KEY_ID: a cache or a credential helper may need them.
func (s *Step) Forget() {
	var all []string
	for _, setting := range Settings() {
		all = append(all, setting.Names...)
	}
	for name := range s.environment {
		if strings.HasPrefix(name, "PLUGIN_") {
			all = append(all, name)
		}
	}
	ambient := regexp.MustCompile(`^(AWS|AZURE|GOOGLE|BUILDKIT|DRONE|CI|HARNESS)_`)
	for _, name := range all {
		if !ambient.MatchString(name) {
			_ = os.Unsetenv(name)
		}
	}
	for _, name := range s.secretVariables() {
		if value, ok := s.environment[name]; ok {
			_ = os.Setenv(name, value)
		}
	}
	_ = os.Setenv("AWS_ECR_DISABLE_CACHE", "true") // or the password of ECR would be in a file
}

// secretVariables returns the variables that secrets of the build come from.
func (s *Step) secretVariables() (names []string) {
	for _, item := range s.secretsFromEnv {
		_, name, _ := strings.Cut(item, "=")
		names = append(names, name)
	}
	for _, secret := range append([]string{s.secret}, s.furtherSecrets...) {
		for field := range strings.SplitSeq(secret, ",") {
			key, name, _ := strings.Cut(field, "=")
			if key == "env" || key == "id" { // a secret without a source is the variable of its name
				names = append(names, name)
			}
		}
	}
	return names
}

// SecretValues returns the values of the settings that are secret.
func (s *Step) SecretValues() []string {
	values := []string{s.push.password, s.base.password, s.accessToken, s.sshKey, s.aws.SecretKey, s.aws.SessionToken, s.oidcToken, s.jsonKey, s.clientSecret, s.azure.Certificate, s.azure.Password, s.cosign.password}
	if strings.Contains(s.cosign.key, "\n") { // and no path
		values = append(values, s.cosign.key)
	}
	for _, name := range s.secretVariables() {
		values = append(values, s.environment[name])
	}
	for _, proxy := range s.proxies() {
		if parsed, err := url.Parse(proxy); err == nil && parsed.User != nil {
			password, _ := parsed.User.Password()
			values = append(values, password)
		}
	}
	return append(values, s.secretsOfCaches()...)
}

// withSetting adds, to the error of a login, which settings of the step are the login.
func withSetting(err error) error {
	var wrong *registry.Error
	if !errors.As(err, &wrong) || wrong.Setting == "" {
		return err
	}
	return fmt.Errorf("%w\nin this step the login is %s", err, wrong.Setting)
}
