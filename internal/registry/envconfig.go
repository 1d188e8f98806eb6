package registry

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/docker/cli/cli/config/configfile"
)

// dropBadEnvironment removes DOCKER_AUTH_CONFIG from the environment if it is no text of a Docker
// config, and warns. Docker's library would write its own words to standard error for each registry.
func (k *Keychain) dropBadEnvironment() {
	const name = configfile.DockerEnvConfigKey
	value := os.Getenv(name)
	if value == "" {
		return
	}
	if err := checkEnvironment(value); err != nil {
		k.tell(`%s is not used: %v. Expected {"auths": {"registry.example.com": {"auth": "BASE64 OF USER:PASSWORD"}}}`, name, err)
		_ = os.Unsetenv(name)
	}
}

// checkEnvironment returns an error if Docker's library refuses the text of DOCKER_AUTH_CONFIG. No
// error has a part of a secret in it.
func checkEnvironment(text string) error {
	var config struct {
		Auths map[string]struct {
			Auth string `json:"auth"`
		} `json:"auths"`
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&config); err != nil {
		return fmt.Errorf("it is not JSON of that form (%w)", err)
	}
	if decoder.More() {
		return errors.New("there is more after its JSON")
	}
	for host, login := range config.Auths {
		if login.Auth == "" {
			return fmt.Errorf("%s has no \"auth\"", host)
		}
		decoded, err := base64.StdEncoding.DecodeString(login.Auth)
		if err != nil || strings.Index(string(decoded), ":") < 1 {
			return fmt.Errorf("the \"auth\" of %s is not the base64 of USER:PASSWORD", host)
		}
	}
	return nil
}
