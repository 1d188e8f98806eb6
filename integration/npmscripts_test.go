package integration

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/samforge/samforge/integration/testenv"
)

// npmVersions are the versions in the node images of the catalogue: Node.js 16, 18 and 20, 22, and
// 24.
func npmVersions() []string { return []string{"8.19.4", "10.8.2", "10.9.4", "11.6.2"} }

// Two small packages and their lock.
const (
	isOdd    = `"node_modules/is-odd": {"version": "3.0.1", "integrity": "sha512-CQpnWPrDwmP1+SMHXZhtLtJv90yiyVfluGsX5iNCVkrhQtU3TQHsUWPG9wkdk9Lgd5yNpAg9jQEo90CBaXgWMA==", "dependencies": {"is-number": "^6.0.0"}}`
	isNumber = `"node_modules/is-number": {"version": "6.0.0", "integrity": "sha512-Wu1VHeILBK8KAWJUAiSZQX94GmOE45Rg6/538fKwiloUu21KncEkYGPqob2oSZ5mUT73vLGrHQjKw3KMPwfDzg=="}`
	numbers  = `{"lockfileVersion": 3, "requires": true, "packages": {"": {"dependencies": {"is-odd": "3.0.1"}}, ` + isOdd + `, ` + isNumber + `}}`
)

// installStep runs install.cjs as the npm step does, in a folder of the test.
type installStep struct {
	npm, registry string
	lock          string // the lock of numbers, unless the test gives one
	dependencies  string // the dependencies to install without a lock
	npmrc, ca     string // secrets
	env           map[string]string
	prune         bool // as for the locks that samforge carries
}

// run returns the step's standard error, the folder of the installed packages, and whether the step
// succeeded.
func (s installStep) run(t *testing.T) (output, installed string, ok bool) {
	t.Helper()
	lang, err := testenv.NodeFolder(t.Context(), "20.20.2", s.npm)
	must(t, err)
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	scripts, err := filepath.Glob("../npm/scripts/*.cjs")
	must(t, err)
	for _, script := range scripts {
		content, err := os.ReadFile(script)
		must(t, err)
		write("install/"+filepath.Base(script), string(content))
	}
	write("install/bin/is-odd", "#!/bin/sh\n")
	command := "ci"
	if s.dependencies != "" {
		command = "install"
		write("install/package.json", `{"private": true, "dependencies": {`+s.dependencies+`}}`)
	} else {
		if s.lock == "" {
			s.lock = numbers
		}
		var content struct{ Packages map[string]map[string]any }
		must(t, json.Unmarshal([]byte(s.lock), &content))
		content.Packages[""]["private"] = true
		manifest, err := json.Marshal(content.Packages[""])
		must(t, err)
		write("install/package-lock.json", s.lock)
		write("install/package.json", string(manifest))
	}
	env := map[string]string{
		"PATH": os.Getenv("PATH"), "HOME": dir, "npm_config_cache": filepath.Join(dir, "cache"), "npm_config_registry": s.registry,
		"npm_config_userconfig": filepath.Join(dir, "npmrc"), "npm_config_fetch_retries": "1", "npm_config_fetch_retry_mintimeout": "1",
		"npm_config_fetch_retry_maxtimeout": "1", "npm_config_fetch_timeout": "60000",
	}
	if s.npmrc != "" {
		write("npmrc", s.npmrc)
	}
	if s.ca != "" {
		env["NODE_EXTRA_CA_CERTS"] = write("ca.pem", s.ca)
	}
	maps.Copy(env, s.env)
	args := []string{filepath.Join(dir, "install/install.cjs")}
	if s.prune {
		args = append(args, "--prune")
	}
	args = append(args, filepath.Join(dir, "layer"), "/opt/numbers", "315532800", command, "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--omit=dev")
	cmd := exec.CommandContext(t.Context(), filepath.Join(lang, "bin/node"), args...)
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	err = cmd.Run()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return stderr.String(), filepath.Join(dir, "layer/opt/numbers"), err == nil
}

// wantSentence fails the test unless the step failed with one sentence for the user, in the last
// line, that contains all of want.
func (s installStep) wantSentence(t *testing.T, want ...string) {
	t.Helper()
	output, _, ok := s.run(t)
	lines := strings.Split(strings.TrimSpace(output), "\n")
	last := lines[len(lines)-1]
	if ok || !strings.HasPrefix(last, "samforge: ") || strings.Count(output, "samforge: ") != 1 {
		t.Fatalf("succeeded: %v, and there is no sentence at the end:\n%s", ok, output)
	}
	for _, text := range want {
		if !strings.Contains(last, text) {
			t.Errorf("the sentence is\n%s\nwant %q in it\n%s", last, text, output)
		}
	}
}

// npmServer is an npm registry that answers some requests itself.
func npmServer(t *testing.T, answer func(w http.ResponseWriter, r *http.Request) bool) *testenv.NPMRegistry {
	t.Helper()
	npm := startNPM(t)
	npm.Intercept(answer)
	return npm
}

// eachNPM runs a test with each npm.
func eachNPM(t *testing.T, test func(t *testing.T, npm string)) {
	t.Helper()
	withNPM(t, npmVersions(), test)
}

func withNPM(t *testing.T, versions []string, test func(t *testing.T, npm string)) {
	t.Helper()
	for _, version := range versions {
		t.Run("npm "+version, func(t *testing.T) {
			t.Parallel()
			test(t, version)
		})
	}
}

func startNPM(t *testing.T) *testenv.NPMRegistry {
	t.Helper()
	npm, err := testenv.StartNPMRegistry(t.Context())
	must(t, err)
	t.Cleanup(func() { must(t, npm.Close()) })
	return npm
}

// With any npm, and however npm reports it, the last line of the step is a sentence that says what
// to do.
func TestNPMStepExplains(t *testing.T) {
	t.Parallel()
	registry := startNPM(t)
	status := func(code int, body string) func(w http.ResponseWriter, r *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, "is-number") {
				return false
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(code)
			fmt.Fprint(w, body)
			return true
		}
	}
	for name, c := range map[string]struct {
		code        int
		body, npmrc string
		want        []string
	}{
		"401":                           {401, "", "", []string{"wants other credentials", "pass an npm configuration with --secret id=npmrc,src=FILE"}},
		"401 with an npm configuration": {401, "", "//HOST/:_authToken=wrong-token", []string{"wants other credentials", "see that the npm configuration of --secret id=npmrc names this host"}},
		"401 with an unset variable":    {401, "", "//HOST/:_authToken=${CI_TOKEN}", []string{"the npm configuration of the secret npmrc uses ${CI_TOKEN}, which the build does not have: write the value in its place"}},
		"403 with NPM_TOKEN unset":      {403, "", "//HOST/:_authToken=${NPM_TOKEN}", []string{"uses ${NPM_TOKEN}", "pass it with --secret id=NPM_TOKEN,env=NPM_TOKEN"}},
		"403 by a policy": {403, `{"error": "blocked by curation policy 'malicious'"}`, "", []string{
			"the npm registry refuses is-number", "blocked by curation policy 'malicious'", "use a version that it allows"}},
		"403 without a reason": {403, "", "", []string{"the npm registry refuses is-number", "wants other credentials, or does not allow the package"}},
		"404":                  {404, "", "", []string{"the npm registry does not have", "is-number"}},
		"429":                  {429, "", "", []string{"the npm registry has had too many requests", "try again later"}},
		"402":                  {402, `{"error": "the plan has ended"}`, "", []string{"the npm registry refuses is-number", "402", "the plan has ended", "ask who runs the registry"}},
		"a login page":         {200, "<html>Log in</html>", "", []string{"the npm registry did not answer as one", "is-number", "a login page"}},
		"nothing at all":       {200, "", "", []string{"the npm registry did not answer as one"}},
		"503":                  {503, "", "", []string{"the npm registry fails", "503"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := npmServer(t, status(c.code, c.body))
			withNPM(t, npmVersions()[1:2], func(t *testing.T, npm string) { // all of them say it in the same words
				npmrc := strings.ReplaceAll(c.npmrc, "HOST", strings.TrimPrefix(server.URL(), "http://"))
				installStep{npm: npm, registry: server.URL() + "/", npmrc: npmrc}.wantSentence(t, c.want...)
			})
		})
	}
	t.Run("a registry that is down", func(t *testing.T) {
		t.Parallel()
		eachNPM(t, func(t *testing.T, npm string) {
			installStep{npm: npm, registry: "http://127.0.0.1:9/"}.wantSentence(t,
				"the npm registry cannot be reached (http://127.0.0.1:9/", "ECONNREFUSED", "HTTPS_PROXY")
		})
	})
	t.Run("a registry with a private authority", func(t *testing.T) {
		t.Parallel()
		pair, authority, err := testenv.ServerCertificate()
		must(t, err)
		server := httptest.NewUnstartedServer(registry)
		server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
		server.StartTLS()
		t.Cleanup(server.Close)
		eachNPM(t, func(t *testing.T, npm string) {
			installStep{npm: npm, registry: server.URL + "/"}.wantSentence(t, "certificate is not trusted", "--secret id=ca,src=FILE")
			if output, _, ok := (installStep{npm: npm, registry: server.URL + "/", ca: string(authority)}).run(t); !ok {
				t.Errorf("with the authority:\n%s", output)
			}
		})
	})
	t.Run("a package with other bytes than the lock's", func(t *testing.T) {
		t.Parallel()
		server := npmServer(t, func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, "is-number-6.0.0.tgz") {
				return false
			}
			fmt.Fprint(w, "other bytes")
			return true
		})
		eachNPM(t, func(t *testing.T, npm string) {
			installStep{npm: npm, registry: server.URL() + "/"}.wantSentence(t, "other bytes for is-number@6.0.0 than the lock of is-odd 3.0.1", "sha512-Wu1V")
		})
	})
	t.Run("credentials in the old form", func(t *testing.T) {
		t.Parallel()
		for _, npm := range npmVersions()[1:] { // npm 8 accepts them
			installStep{npm: npm, registry: registry.URL() + "/", npmrc: "_auth=dXNlcjpwYXNzd29yZA==\n"}.wantSentence(t,
				"has credentials in a form that this npm refuses", "`_auth` must be renamed", "//HOST/PATH/:_authToken=TOKEN")
		}
	})
	t.Run("packages that do not go together", func(t *testing.T) {
		t.Parallel()
		eachNPM(t, func(t *testing.T, npm string) {
			step := installStep{npm: npm, registry: registry.URL() + "/", dependencies: `"react": "17.0.2", "react-dom": "18.2.0"`}
			step.wantSentence(t, "want different versions of another one", `react@"^18.2.0" from react-dom@18.2.0`, "legacy-peer-deps=true")
			step.npmrc = "legacy-peer-deps=true\n"
			if output, _, ok := step.run(t); !ok {
				t.Errorf("with legacy-peer-deps:\n%s", output)
			}
		})
	})
}

// The settings in the secret npmrc win, where npm itself would let the environment win.
func TestNPMConfiguration(t *testing.T) {
	t.Parallel()
	eachNPM(t, func(t *testing.T, npm string) {
		var authorized, others atomic.Int64
		server := npmServer(t, func(w http.ResponseWriter, r *http.Request) bool {
			if r.Header.Get("Authorization") == "Bearer s3cret-token" {
				authorized.Add(1)
			} else {
				others.Add(1)
			}
			return false
		})
		host := strings.TrimPrefix(server.URL(), "http://")
		step := installStep{
			npm: npm, registry: "https://registry.npmjs.org/",
			npmrc: "; ours\nregistry = \"" + server.URL() + "\"\n//" + host + "/:_authToken=${NPM_TOKEN}\n",
			env:   map[string]string{"NPM_TOKEN": "s3cret-token"},
		}
		output, _, ok := step.run(t)
		if !ok || authorized.Load() == 0 || others.Load() > 0 {
			t.Errorf("succeeded: %v, %d requests with the token, %d without:\n%s", ok, authorized.Load(), others.Load(), output)
		}
		if strings.Contains(output, "s3cret-token") {
			t.Errorf("the token is in the output:\n%s", output)
		}
	})
	t.Run("a token in a registry's answer is masked", func(t *testing.T) {
		t.Parallel()
		server := npmServer(t, func(w http.ResponseWriter, r *http.Request) bool {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, `{"error": "no access for %s"}`, r.Header.Get("Authorization"))
			return true
		})
		host := strings.TrimPrefix(server.URL(), "http://")
		for i, npmrc := range []string{
			"//" + host + "/:_authToken=s3cret-token\n",
			"//" + host + "/:_auth=dXNlcjpwYXNzd29yZA==\n",
			"//" + host + "/:username=user\n//" + host + "/:_password=cGFzc3dvcmQ=\n",
		} {
			output, _, ok := installStep{npm: npmVersions()[1+i], registry: server.URL() + "/", npmrc: npmrc}.run(t)
			if ok || !strings.Contains(output, "no access for") || strings.Contains(output, "s3cret") || strings.Contains(output, "dXNlcjpwYXNzd29yZA") {
				t.Errorf("succeeded: %v\n%s", ok, output)
			}
		}
	})
}

// A lock that makes npm install fewer or other packages than it says.
func TestNPMLockThatLies(t *testing.T) {
	t.Parallel()
	registry := startNPM(t)
	eachNPM(t, func(t *testing.T, npm string) {
		lock := strings.Replace(numbers, isNumber, `"node_modules/is-odd/node_modules/is-number": {"version": "6.0.0", "inBundle": true}`, 1)
		installStep{npm: npm, registry: registry.URL() + "/", lock: lock}.wantSentence(t, "is-number@6.0.0, which has no integrity in the lock")
		lock = strings.Replace(numbers, `"version": "6.0.0"`, `"version": "6.0.0", "dev": true`, 1)
		installStep{npm: npm, registry: registry.URL() + "/", lock: lock}.wantSentence(t, "npm left out is-number@6.0.0")
	})
}

// npm goes on without an optional package that it cannot fetch: the image would differ from day to
// day.
func TestNPMOptionalPackageThatCannotBeFetched(t *testing.T) {
	t.Parallel()
	server := npmServer(t, func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "is-number-6.0.0.tgz") {
			return false
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	optional := strings.NewReplacer(`"dependencies": {"is-number"`, `"optionalDependencies": {"is-number"`, `"version": "6.0.0"`, `"version": "6.0.0", "optional": true`).Replace(numbers)
	foreign := strings.Replace(optional, `"optional": true`, `"optional": true, "os": ["darwin"]`, 1)
	eachNPM(t, func(t *testing.T, npm string) {
		installStep{npm: npm, registry: server.URL() + "/", lock: optional}.wantSentence(t, "npm left out is-number@6.0.0", "optional")
		for name, step := range map[string]installStep{
			"for another system":   {lock: foreign},
			"left out by the user": {lock: optional, npmrc: "omit=optional\n"},
		} {
			step.npm, step.registry = npm, server.URL()+"/"
			if output, _, ok := step.run(t); !ok {
				t.Errorf("a package %s:\n%s", name, output)
			}
		}
	})
}

// Files that a user's plugin reads at run time stay, such as the libraries of a TypeScript
// compiler. A framework with a lock of samforge's loses the files that nothing reads.
func TestNPMStepKeepsWhatIsRead(t *testing.T) {
	t.Parallel()
	registry := startNPM(t)
	const typescript = `{"lockfileVersion": 3, "packages": {"": {"dependencies": {"typescript": "5.4.5"}}, "node_modules/typescript": {"version": "5.4.5",
		"integrity": "sha512-vcI4UpRgg81oIRUFwR0WSIHKt11nJ7SAVlYNIu+QpqeyXP+gpQJy/Z4+F0aGxSE4MqwjyXvW/TzgkLAx2AGHwQ=="}}}`
	step := installStep{npm: npmVersions()[1], registry: registry.URL() + "/", lock: typescript}
	output, installed, ok := step.run(t)
	if !ok {
		t.Fatal(output)
	}
	source := filepath.Join(t.TempDir(), "handler.ts")
	must(t, os.WriteFile(source, []byte("export const answer: number[] = [1, 2].map((n) => n * 21);\n"), 0o600))
	if output, err := exec.CommandContext(t.Context(), "node", filepath.Join(installed, "node_modules/typescript/bin/tsc"), source).CombinedOutput(); err != nil {
		t.Errorf("tsc: %v\n%s", err, output)
	}
	step.prune = true
	if output, installed, ok = step.run(t); !ok {
		t.Fatal(output)
	}
	if left, err := filepath.Glob(filepath.Join(installed, "node_modules/typescript/lib/*.d.ts")); err != nil || len(left) > 0 {
		t.Errorf("%v are left, %v", left, err)
	}
}

// A download is not stopped while its bytes move, however long it takes. One that stalls is
// stopped.
func TestNPMSlowDownloads(t *testing.T) {
	t.Parallel()
	registry := startNPM(t)
	// With this setting a download counts as stalled after six seconds without movement.
	settings := map[string]string{"npm_config_fetch_timeout": "3000"}
	// server sends is-number in pieces of the given size, five per second.
	server := func(size int) *testenv.NPMRegistry {
		return npmServer(t, func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, "is-number-6.0.0.tgz") {
				return false
			}
			whole := httptest.NewRecorder()
			registry.ServeHTTP(whole, r)
			tick := time.NewTicker(200 * time.Millisecond)
			defer tick.Stop()
			for body := whole.Body.Bytes(); len(body) > 0; {
				n := min(size, len(body))
				_, _ = w.Write(body[:n])
				body = body[n:]
				_ = http.NewResponseController(w).Flush()
				select {
				case <-tick.C:
				case <-r.Context().Done():
					return true
				}
			}
			return true
		})
	}
	moving, trickling := server(50), server(1)
	silent := npmServer(t, func(_ http.ResponseWriter, r *http.Request) bool {
		<-r.Context().Done()
		return true
	})
	eachNPM(t, func(t *testing.T, npm string) {
		step := installStep{npm: npm, registry: moving.URL() + "/", env: settings}
		if output, _, ok := step.run(t); !ok {
			t.Errorf("a download of 3,474 bytes, 250 a second:\n%s", output)
		}
		for _, server := range []*testenv.NPMRegistry{trickling, silent} {
			step.registry = server.URL() + "/"
			step.wantSentence(t, "the npm registry cannot be reached", server.URL(), "network timeout", "HTTPS_PROXY")
		}
	})
}
