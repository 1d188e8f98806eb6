package ci

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
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
