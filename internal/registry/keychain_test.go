package registry

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/samforge/samforge/internal/registry/awsfake"
)

// noCredentials sets up an environment in which a keychain finds nothing, and returns the folder of
// its Docker config.
func noCredentials(t *testing.T) (dockerConfig string) {
	t.Helper()
	dir := t.TempDir()
	for name, value := range map[string]string{
		"HOME": dir, "DOCKER_CONFIG": dir, "DOCKER_AUTH_CONFIG": "", "REGISTRY_AUTH_FILE": "", "XDG_RUNTIME_DIR": dir, "XDG_CONFIG_HOME": dir,
		"GITHUB_TOKEN": "", "AWS_EC2_METADATA_DISABLED": "true", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_PROFILE": "", "AWS_ECR_DISABLE_CACHE": "true",
		"GOOGLE_APPLICATION_CREDENTIALS": "",
	} {
		t.Setenv(name, value)
	}
	return dir
}

func write(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}

// auths returns a Docker config with credentials.
func auths(key, user, password string) string {
	return fmt.Sprintf(`{"auths": {%q: {"auth": %q}}}`, key, base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
}

// ask returns the user and the password that a new keychain finds for a repository, and its
// warnings.
func ask(t *testing.T, repository string) (user, password string, warnings []string) {
	t.Helper()
	k := NewKeychain(func(sentence string) { warnings = append(warnings, sentence) }, AWS{})
	repo, err := name.NewRepository(repository)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second answer comes from the cache
		auth, err := k.ResolveContext(t.Context(), repo)
		if err != nil {
			t.Fatal(err)
		}
		found, err := authn.Authorization(t.Context(), auth)
		if err != nil {
			t.Fatal(err)
		}
		user, password = found.Username, found.Password
	}
	return user, password, warnings
}

func TestKeychainReadsWhatDockerAndPodmanWrite(t *testing.T) {
	const repo = "registry.example.com/ci/app"
	for name, tc := range map[string]struct {
		arrange func(t *testing.T, dir string)
		repo    string
		user    string
	}{
		"config.json": {func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "config.json"), auths("registry.example.com", "docker", "x"), 0o600)
		}, repo, "docker"},
		"Docker Hub": {func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "config.json"), auths("https://index.docker.io/v1/", "hub", "x"), 0o600)
		}, "library/docker", "hub"},
		"DOCKER_AUTH_CONFIG without a config.json": {func(t *testing.T, _ string) {
			t.Setenv("DOCKER_AUTH_CONFIG", auths("registry.example.com", "variable", "x"))
		}, repo, "variable"},
		"REGISTRY_AUTH_FILE": {func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "podman.json"), auths("registry.example.com", "podman", "x"), 0o600)
			t.Setenv("REGISTRY_AUTH_FILE", filepath.Join(dir, "podman.json"))
		}, repo, "podman"},
		"Podman's file of the session, for the folder of a repository": {func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "containers", "auth.json"), auths("registry.example.com/ci", "folder", "x"), 0o600)
		}, repo, "folder"},
		"Docker before Podman": {func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "config.json"), auths("registry.example.com", "docker", "x"), 0o600)
			write(t, filepath.Join(dir, "containers", "auth.json"), auths("registry.example.com", "podman", "x"), 0o600)
		}, repo, "docker"},
		"a helper": {func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "docker-credential-own"), "#!/bin/sh\necho '{\"Username\": \"helper\", \"Secret\": \"x\"}'\n", 0o700)
			write(t, filepath.Join(dir, "config.json"), `{"credHelpers": {"registry.example.com": "own"}}`, 0o600)
			t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
		}, repo, "helper"},
		"GitHub's token": {func(t *testing.T, _ string) {
			t.Setenv("GITHUB_TOKEN", "x")
			t.Setenv("GITHUB_ACTOR", "octocat")
		}, "ghcr.io/ci/app", "octocat"},
		"GitHub's token is for GitHub": {func(t *testing.T, _ string) { t.Setenv("GITHUB_TOKEN", "x") }, repo, ""},
		"nothing":                      {func(*testing.T, string) {}, repo, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := noCredentials(t)
			tc.arrange(t, dir)
			user, password, warnings := ask(t, tc.repo)
			if user != tc.user || (password != "x") == (tc.user != "") || len(warnings) > 0 {
				t.Errorf("the user is %q with password %q, want %q; warnings %q", user, password, tc.user, warnings)
			}
		})
	}
}

// samforge warns once about configured credentials that it cannot obtain, and uses the registry
// without them.
func TestKeychainWarnsOfCredentialsThatCannotBeHad(t *testing.T) {
	for name, tc := range map[string]struct{ file, content, want string }{
		"a store that is not installed": {"config.json", `{"credsStore": "nope"}`,
			"names the credential helper docker-credential-nope, which is not on PATH"},
		"a helper that is not installed": {"config.json", `{"credHelpers": {"registry.example.com": "nope"}}`,
			"names the credential helper docker-credential-nope, which is not on PATH"},
		"a helper that fails": {"config.json", `{"credsStore": "locked"}`, "registry.example.com is used without credentials: "},
		"a config that is not JSON": {"config.json", `{"auths"`,
			"registries are used without the credentials of the Docker config: "},
		"a Podman file that is not JSON": {"containers/auth.json", `]`, "containers/auth.json: "},
	} {
		t.Run(name, func(t *testing.T) {
			dir := noCredentials(t)
			write(t, filepath.Join(dir, "docker-credential-locked"), "#!/bin/sh\necho locked; exit 1\n", 0o700)
			t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
			write(t, filepath.Join(dir, tc.file), tc.content, 0o600)
			user, _, warnings := ask(t, "registry.example.com/ci/app")
			if user != "" || len(warnings) != 1 || !strings.Contains(warnings[0], tc.want) {
				t.Errorf("user %q, warnings %q; want one that says %q", user, warnings, tc.want)
			}
		})
	}
}

// A missing helper does not hide the credentials in the same file.
func TestKeychainWithoutItsHelperUsesTheFile(t *testing.T) {
	dir := noCredentials(t)
	write(t, filepath.Join(dir, "config.json"),
		strings.Replace(auths("registry.example.com", "docker", "x"), "{", `{"credsStore": "nope", `, 1), 0o600)
	if user, _, warnings := ask(t, "registry.example.com/ci/app"); user != "docker" || len(warnings) != 1 {
		t.Errorf("user %q, warnings %q", user, warnings)
	}
}

// Credentials that would take for ever are left out, with a warning.
func TestKeychainEndsWhatDoesNot(t *testing.T) {
	pipe := func(t *testing.T, path string) {
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for how, tc := range map[string]struct {
		arrange func(t *testing.T, dir string)
		want    string
	}{
		"config.json is a pipe": {func(t *testing.T, dir string) { pipe(t, filepath.Join(dir, "config.json")) }, "config.json is a pipe, not a file"},
		"REGISTRY_AUTH_FILE is a pipe": {func(t *testing.T, dir string) {
			pipe(t, filepath.Join(dir, "auth.json"))
			t.Setenv("REGISTRY_AUTH_FILE", filepath.Join(dir, "auth.json"))
		}, "auth.json is a pipe, not a file"},
		"a helper hangs": {func(t *testing.T, dir string) {
			pipe(t, filepath.Join(dir, "pipe"))
			write(t, filepath.Join(dir, "docker-credential-own"), "#!/bin/sh\nread line <"+dir+"/pipe\n", 0o700)
			write(t, filepath.Join(dir, "config.json"), `{"credHelpers": {"registry.example.com": "own"}}`, 0o600)
			t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
			t.Cleanup(func() { // ends the helper
				if writer, err := os.OpenFile(filepath.Join(dir, "pipe"), os.O_RDWR, 0); err == nil {
					fmt.Fprintln(writer)
					writer.Close()
				}
			})
		}, "gives no credentials for registry.example.com within 50ms"},
	} {
		t.Run(how, func(t *testing.T) {
			tc.arrange(t, noCredentials(t))
			var warnings []string
			k := NewKeychain(func(sentence string) { warnings = append(warnings, sentence) }, AWS{})
			k.helperPatience = 50 * time.Millisecond
			repo, err := name.NewRepository("registry.example.com/ci/app")
			if err != nil {
				t.Fatal(err)
			}
			auth, err := k.ResolveContext(t.Context(), repo)
			if err != nil || auth != authn.Anonymous || len(warnings) != 1 || !strings.Contains(warnings[0], tc.want) {
				t.Errorf("got %v, %v and the warnings %q, want one of %q", auth, err, warnings, tc.want)
			}
		})
	}
}

func TestKeychainOfAmazon(t *testing.T) {
	private, public := "123456789012.dkr.ecr.eu-west-1.amazonaws.com/ci/app", "public.ecr.aws/sam/build-java21"
	t.Run("with AWS credentials", func(t *testing.T) {
		fakeAWS(t)
		fromEnvironment(t)
		for _, repo := range []string{private, public} {
			if user, password, warnings := ask(t, repo); user != "AWS" || password != awsfake.Password || len(warnings) > 0 {
				t.Errorf("%s: user %q, password %q, warnings %q", repo, user, password, warnings)
			}
		}
	})
	t.Run("a private registry without AWS credentials causes a warning", func(t *testing.T) {
		noCredentials(t)
		if user, _, warnings := ask(t, private); user != "" || len(warnings) != 1 || !strings.HasPrefix(warnings[0], "AWS gives no credentials for 123456789012.dkr.ecr") {
			t.Errorf("user %q, warnings %q", user, warnings)
		}
	})
	t.Run("a public registry is used without credentials", func(t *testing.T) {
		noCredentials(t)
		if user, _, warnings := ask(t, public); user != "" || len(warnings) > 0 {
			t.Errorf("user %q, warnings %q", user, warnings)
		}
	})
	t.Run("a profile that does not exist stops nothing", func(t *testing.T) {
		noCredentials(t)
		t.Setenv("AWS_PROFILE", "nope")
		if user, _, warnings := ask(t, private); user != "" || len(warnings) != 1 || !strings.Contains(warnings[0], "nope") {
			t.Errorf("user %q, warnings %q", user, warnings)
		}
	})
}

// google is a stand-in for the token service that is named in a service account's key.
func TestKeychainOfGoogle(t *testing.T) {
	dir := noCredentials(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"access_token": "x", "token_type": "Bearer", "expires_in": 3600}`)
	}))
	t.Cleanup(server.Close)
	key, err := json.Marshal(map[string]string{"type": "service_account", "client_email": "ci@example.com", "private_key": testKey(t), "token_uri": server.URL})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "key.json"), string(key), 0o600)
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", filepath.Join(dir, "key.json"))
	if user, password, warnings := ask(t, "europe-docker.pkg.dev/project/ci/app"); user != "_token" || password != "x" || len(warnings) > 0 {
		t.Errorf("user %q, password %q, warnings %q", user, password, warnings)
	}
}

// testKey is a private key in PEM.
func testKey(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}
