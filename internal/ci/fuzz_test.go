package ci

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/distribution/reference"

	"github.com/samforge/samforge/internal/builder"
	"github.com/samforge/samforge/internal/project"
)

// canary is a secret that no message may show. No name of a setting or of an attribute is like it.
const canary = "ca-nary"

// variable matches the name of a setting that begins a message.
var variable = regexp.MustCompile(`^(?:[A-Z][A-Z0-9_]+|the file \.tags)`)

// checkMessage returns whether there is an error, which must name its setting, and not show the
// canary.
func checkMessage(t *testing.T, err error) bool {
	t.Helper()
	switch {
	case err == nil:
		return false
	case strings.Contains(err.Error(), canary):
		t.Errorf("the mistake shows a secret: %v", err)
	case !variable.MatchString(err.Error()):
		t.Errorf("the mistake names no setting: %v", err)
	}
	return true
}

// FuzzSettings: whatever the settings, what they say is legal, or there is a mistake that names the
// setting and shows no password. A line is a variable.
func FuzzSettings(f *testing.F) {
	for _, seed := range []string{
		"PLUGIN_REPO=registry.example.com/team/app\nPLUGIN_TAGS=1.2.3,latest\nPLUGIN_EXPAND_TAG=true\nPLUGIN_BUILD_ARGS=A=b,C\nC=d",
		"PLUGIN_REPO=app\nPLUGIN_REGISTRY=https://registry.example.com/v2/\nPLUGIN_AUTO_TAG=true\nDRONE_COMMIT_REF=refs/tags/v1.2.3\nPLUGIN_AUTO_TAG_SUFFIX=arm64",
		"PLUGIN_CUSTOM_LABELS={\"a\": \"b\", \"n\": 1.10, \"t\": true}\nPLUGIN_LABEL_SCHEMA=a=b;c=d\nPLUGIN_PLATFORM=linux/arm64\nPLUGIN_INSECURE=maybe",
		"PLUGIN_REPO=a/b\nPLUGIN_ENABLE_CACHE=true\nPLUGIN_CACHE_FROM=a/b,c/d;type=s3,bucket=x\nPLUGIN_CACHE_REPO=a/c\nPLUGIN_PUSH_RETRY=3\nPLUGIN_DRY_RUN=true",
		"PLUGIN_REGISTRY_MIRRORS=http://mirror:5000,https://m.example.com/hub\nPLUGIN_INSECURE_REGISTRY=true,b:1\nPLUGIN_CUSTOM_DNS=1.1.1.1\nPLUGIN_SKIP_TLS_VERIFY_REGISTRY=true",
		"PLUGIN_SECRETS_FROM_ENV=a=PLUGIN_PASSWORD,b\nPLUGIN_SECRET=id=x,env=Y\nPLUGIN_BUILDX_OPTIONS=--label=a=b,--tag=c:1\nHTTP_PROXY=http://u:p@proxy",
		"PLUGIN_RAGISTRY=x\nPLUGIN_HEROKU=y\nPLUGIN_SNAPSHOT_MODE=redo\nPLUGIN_APP=z\nSOURCE_DATE_EPOCH=-1\nPLUGIN_REPO=https://user:pass@registry.example.com/app",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		environ := slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool { return strings.HasPrefix(line, envFile+"=") })
		for _, name := range []string{"PLUGIN_PASSWORD", "PLUGIN_SECRET_KEY", "ACCESS_TOKEN", "PLUGIN_HARNESS_SELF_HOSTED_S3_SECRET_KEY", "PLUGIN_SSH_AGENT_KEY"} {
			environ = append(environ, name+"="+canary)
		}
		s, warnings, err := Read(environ)
		for _, warning := range warnings {
			if checkMessage(t, errors.New(warning)) && strings.Contains(warning, "\n") {
				t.Errorf("%q is no sentence", warning)
			}
		}
		if checkMessage(t, err) {
			return
		}
		if !slices.Contains(s.SecretValues(), canary) {
			t.Error("the password is no secret")
		}
		checkStep(t, s)
	})
}

// checkStep looks at what settings say, as far as no file and no server is asked.
func checkStep(t *testing.T, s *Step) {
	t.Helper()
	refs, err := s.references()
	checkMessage(t, err)
	for _, ref := range refs {
		named, err := reference.ParseNormalizedNamed(ref)
		if err != nil {
			t.Fatalf("%q is no reference: %v", ref, err)
		}
		if reference.IsNameOnly(named) {
			t.Errorf("%q has no tag", ref)
		}
	}
	if args, err := s.args(); err == nil {
		if _, ok := args[""]; ok {
			t.Errorf("an argument without a name among %q", args)
		}
	}
	from, to, err := s.caches()
	checkMessage(t, err)
	for _, cache := range slices.Concat(from, to) {
		if spec, err := parseCacheSpec(cache); err != nil || !slices.Contains(cacheTypes, spec.values["type"]) {
			t.Errorf("%q is no cache: %v", cache, err)
		}
	}
	if _, err := s.secrets(); err != nil {
		checkMessage(t, err)
	}
	s.reach.certificates, s.reach.clientCertificates, s.caPath, s.reach.file = nil, nil, "", "" // files
	if config, err := s.config(nil, refs); !checkMessage(t, err) {
		checkConfig(t, config)
	}
}

// checkConfig fails unless a buildkitd could read the configuration.
func checkConfig(t *testing.T, config builder.Config) {
	t.Helper()
	text, err := config.TOML()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := config.MergedInto([]byte(text)); err != nil || again != text {
		t.Errorf("%s\nis read again as\n%s%v", text, again, err)
	}
}

// FuzzCacheSpec: whatever the cache, it can be written and read again, or there is a mistake that
// shows no key.
func FuzzCacheSpec(f *testing.F) {
	for _, seed := range []string{
		"type=s3,bucket=b,region=eu-west-1", `"type=registry","ref=a/b:c"`, "type=azure,account_name=acc,container_name=c,account_key=" + azurePlaceholder,
		"type=s3,access_key_id=a,secret_access_key=" + placeholder, "ref=a/b", `type=s3,"a=""b,c"`, " TYPE = local, src=a\n", "type=gha,scope=x,", `type=s3,"a`, "a,b",
	} {
		f.Add(seed, "", "")
		f.Add(seed, "x", ",y=z")
		f.Add(seed, "a,", `"`)
	}
	f.Fuzz(func(t *testing.T, text, before, after string) {
		if spec, err := parseCacheSpec(text); err == nil {
			again, err := parseCacheSpec(spec.String())
			if err != nil || !slices.Equal(again.names, spec.names) || !maps.Equal(again.values, spec.values) {
				t.Errorf("%q is written as %q, and read as %q, %v", spec.values, spec.String(), again.values, err)
			}
		}
		s := newStep(nil)
		secret := text + ",secret_access_key=" + before + canary + after
		if spec, err := parseCacheSpec(secret); err == nil && strings.Contains(spec.values["type"]+spec.values["endpoint_url"], canary) {
			t.Skip("no secret")
		}
		_, err := s.completed("PLUGIN_CACHE_TO", []string{secret})
		checkMessage(t, err)
	})
}

// FuzzBuildxOptions: whatever the flags, they are taken or there is a mistake that names the
// setting. A value arrives as it is.
func FuzzBuildxOptions(f *testing.F) {
	for _, seed := range []string{
		"--label=a=b,--build-arg A=b c,-t app:1", "--ulimit=nofile=1024:2048,--shm-size=1g,--allow=network.host", "--attest=type=sbom,--provenance=mode=max", "--no-cache=maybe",
		"--cache-from=type=local,src=x", "-qf Dockerfile", "--", "--network host,--add-host=a:1.2.3.4", "-", "--platform=linux/amd64,--no-cache-filter a", "--help",
	} {
		f.Add(seed, "a=b c")
	}
	f.Fuzz(func(t *testing.T, options, value string) {
		_, _, err := Read([]string{"PLUGIN_BUILDX_OPTIONS=" + options})
		checkMessage(t, err)
		if value == "" || strings.Contains(value, ";") || strings.TrimSpace(value) != value {
			return
		}
		for _, flag := range []string{"--label=", "--build-arg=", "--annotation=", "--secret="} {
			s, _, err := Read([]string{"PLUGIN_BUILDX_OPTIONS_SEMICOLON=" + flag + value})
			if err != nil {
				t.Fatal(err)
			}
			got := slices.Concat(s.furtherLabels, s.buildxArgs, s.annotations, s.furtherSecrets)
			if !slices.Equal(got, []string{value}) {
				t.Errorf("%s%s is read as %q", flag, value, got)
			}
		}
	})
}

// FuzzTags: the tags of a commit are legal, and those of the most precise of them are the same.
func FuzzTags(f *testing.F) {
	for _, seed := range []string{"refs/tags/v1.2.3", "refs/tags/1.2", "refs/tags/v0.3.0-rc.1+build.5", "refs/heads/main", "refs/tags/01.2.3", "refs/tags/1.2.3\n", "", "refs/tags/latest"} {
		f.Add(seed, "main", "")
		f.Add(seed, "", "arm64")
	}
	f.Fuzz(func(t *testing.T, ref, branch, suffix string) {
		tags, err := autoTags(ref, branch, suffix)
		if err != nil {
			if len(tags) > 0 || !strings.Contains(err.Error(), "PLUGIN_AUTO_TAG") {
				t.Errorf("%q, %v", tags, err)
			}
			return
		}
		plain, err := autoTags(ref, branch, "")
		if err != nil || len(plain) != len(tags) || len(tags) == 0 {
			t.Fatalf("%q with the suffix, %q without, %v", tags, plain, err)
		}
		for n, tag := range plain {
			if len(tag) <= 128 && reference.TagRegexp.FindString(tag) != tag {
				t.Errorf("%q is no tag", tag)
			}
			if !strings.HasSuffix(tags[n], suffix) {
				t.Errorf("%q does not end with %q", tags[n], suffix)
			}
		}
		if again := versionTags(plain[len(plain)-1]); !slices.Equal(again, plain) {
			t.Errorf("%q gives %q, and the last of them %q", ref, plain, again)
		}
	})
}

// FuzzMapping: a setting that begins as a mapping is one, or there is a mistake. What JSON says
// arrives.
func FuzzMapping(f *testing.F) {
	for _, seed := range []string{`{"a": "b"}`, `{"a": 1.10, "b": true}`, `{"a": null}`, `{"a": {"b": "c"}}`, `{"a": "b"} c=d`, `{"a": "b"`, ` {"": "\u0000"}`, "{}"} {
		f.Add(seed, "key", "value")
	}
	f.Fuzz(func(t *testing.T, text, key, value string) {
		if pairs, err := mapping(text); err == nil {
			if !json.Valid([]byte(text)) {
				t.Errorf("%q is no JSON, and is read as %q", text, pairs)
			}
			for _, pair := range pairs {
				if !strings.Contains(pair, "=") {
					t.Errorf("%q has no value", pair)
				}
			}
		}
		data, err := json.Marshal(map[string]string{key: value})
		if err != nil {
			t.Fatal(err)
		}
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			return // JSON has no such texts
		}
		if pairs, err := mapping(string(data)); err != nil || !slices.Equal(pairs, []string{key + "=" + value}) {
			t.Errorf("%s is read as %q, %v", data, pairs, err)
		}
	})
}

// FuzzCosignParams: whatever the flags, they are taken or there is a mistake.
func FuzzCosignParams(f *testing.F) {
	for _, seed := range []string{"-a a=b --recursive", "-a=a=b,c=d", "--sign-container-identity x -y", "--tlog-upload=true", "--tlog-upload=false --yes", "-a \"", "--key x", "-r=maybe", "a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, params string) {
		var of signer
		if err := of.flags(params); err != nil {
			if err.Error() == "" || !strings.Contains(err.Error(), "=") && !strings.Contains(err.Error(), "takes -a") {
				t.Errorf("the mistake says nothing: %v", err)
			}
			return
		}
		for key := range of.annotations {
			if key == "" {
				t.Errorf("an annotation without a name among %q", of.annotations)
			}
		}
	})
}

// FuzzConfigLogins: whatever Docker's configuration is, no message shows it, and what is written
// into one is read.
func FuzzConfigLogins(f *testing.F) {
	for _, seed := range []string{
		`"auths": {"https://index.docker.io/v1/": {"auth": "dTpw"}}}`, `"auths": {"a": {"username": "u", "password": "p"}}, "credsStore": "x"}`, `"auths": {"a": {"auth": "@"}}}`, `}`,
		`"auths": {"a": {"auth": "dQ=="}, "b": {"identitytoken": "t"}}}`, `"auths": []}`, `"HttpHeaders": {"a": 1}}`,
	} {
		f.Add(seed, "registry.example.com", "user", "pass:word")
	}
	f.Fuzz(func(t *testing.T, text, scope, user, password string) {
		for _, config := range []string{"{" + text, "{" + text + canary, `{"auths": {"a": {"auth": "` + canary + `", ` + text} {
			_, err := configLogins(config)
			checkMessage(t, err)
		}
		if user == "" || strings.Contains(user, ":") || strings.ContainsAny(password, "\x00") {
			return
		}
		auth := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
		data, err := json.Marshal(map[string]any{"auths": map[string]any{scope: map[string]string{"auth": auth}}})
		if err != nil {
			t.Fatal(err)
		}
		logins, err := configLogins(string(data))
		if err != nil || len(logins) != 1 || logins[0].Username != user || logins[0].Password != password {
			t.Errorf("%q and %q are read as %q, %v", user, password, logins, err)
		}
	})
}

// FuzzBuilderConfig: whatever PLUGIN_BUILDER_CONFIG is, a buildkitd could read what comes of it, or
// there is a mistake that names the setting.
func FuzzBuilderConfig(f *testing.F) {
	for _, seed := range []string{
		"debug = true\n[registry.\"docker.io\"]\n  mirrors = [\"m:5000\"]\n  http = true\n[dns]\n  nameservers = [\"1.1.1.1\"]\n", "[registry]\n", "[registry.a]\nca = 1\n", "a = ",
		"[[registry.\"a\".keypair]]\nkey = \"k\"\ncert = \"c\"\n", "[worker.oci]\ngckeepstorage = [1.5, \"a\"]\n", "registry = 1\n", "[registry.'a\"b']\ninsecure = false\n",
	} {
		f.Add([]byte(seed), "http://mirror:5000/hub")
	}
	path := filepath.Join(f.TempDir(), "buildkitd.toml")
	f.Fuzz(func(t *testing.T, data []byte, mirror string) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		s, _, err := Read([]string{"PLUGIN_BUILDER_CONFIG=" + path, "PLUGIN_REGISTRY_MIRRORS=" + mirror, "PLUGIN_INSECURE=true"})
		if err != nil {
			t.Fatal(err)
		}
		config, err := s.config(nil, []string{"registry.example.com/a:b"})
		if checkMessage(t, err) {
			var input *project.InputError
			if !errors.As(err, &input) && !strings.HasPrefix(err.Error(), "PLUGIN_REGISTRY_MIRRORS") {
				t.Errorf("%T is no mistake of the user: %v", err, err)
			}
			return
		}
		checkConfig(t, config)
		if own := config.Registries["registry.example.com"]; own.Insecure == nil || !*own.Insecure {
			t.Error("the registry of the image is not insecure")
		}
	})
}
