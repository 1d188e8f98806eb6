package npm_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/samforge/samforge/npm"
)

func TestEmbedded(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		flavor, version, nodeFloor string
		packages                   int
		native                     []string // what is not for Linux alone is left out
	}{
		{"serverless", "3.40.0", "18", 611, []string{"fsevents"}},
		{"serverless", "3.39.0", "18", 611, []string{"fsevents"}},
		{"serverless", "3.38.0", "18", 583, []string{"fsevents"}},
		{"osls", "4.3.1", "20.19", 170, []string{"@esbuild/linux-arm64", "@esbuild/linux-x64", "fsevents"}},
		{"osls", "3.77.1", "20.19", 213, []string{"@esbuild/linux-arm64", "@esbuild/linux-x64", "fsevents"}},
		{"aws-cdk", "2.1148.1", "18", 1, nil},
	} {
		t.Run(test.flavor+" "+test.version, func(t *testing.T) {
			t.Parallel()
			lock, ok := npm.Embedded(test.flavor, test.version)
			if !ok {
				t.Fatal("there is none, or it does not parse")
			}
			if lock.Name != test.flavor || lock.Version != test.version || lock.Resolved {
				t.Errorf("got %s %s, resolved %v", lock.Name, lock.Version, lock.Resolved)
			}
			if got := lock.NodeFloor(); got != test.nodeFloor {
				t.Errorf("the lowest Node is %q, want %q", got, test.nodeFloor)
			}
			checkIntegrities(t, lock.Data, test.packages)

			var names []string
			for _, native := range lock.Native() {
				names = append(names, native.Name)
				if !native.Optional {
					t.Errorf("%s is for %v %v and not optional", native.Name, native.OS, native.CPU)
				}
			}
			for _, want := range test.native {
				if !slices.Contains(names, want) {
					t.Errorf("native packages are %q, without %s", names, want)
				}
			}
		})
	}
}

// No embedded lock has a package that reads the files that pruning removes, such as a compiler that
// reads type declarations.
func TestEmbeddedReadsNoTypes(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"serverless", "osls", "aws-cdk"} {
		for _, version := range npm.EmbeddedVersions(name) {
			lock, _ := npm.Embedded(name, version)
			for _, pkg := range lock.Installed("amd64") {
				if slices.Contains([]string{"typescript", "ts-node", "ts-morph", "ts-jest", "source-map-support"}, pkg.Name()) {
					t.Errorf("%s has %s, which may read what is removed", lock, pkg)
				}
			}
		}
	}
}

func TestEmbeddedVersions(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		flavor string
		want   []string
	}{
		"the newest is first":              {"serverless", []string{"3.40.0", "3.39.0", "3.38.0"}},
		"each package has its own":         {"osls", []string{"4.3.1", "3.77.1"}},
		"a dash in the package's name":     {"aws-cdk", []string{"2.1148.1"}},
		"part of that name is none":        {"aws", nil},
		"another package has none":         {"sls", nil},
		"part of a package's name is none": {"server", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := npm.EmbeddedVersions(test.flavor)
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
			for _, version := range got {
				if _, ok := npm.Embedded(test.flavor, version); !ok {
					t.Errorf("%s %s is listed, and there is no lock", test.flavor, version)
				}
			}
		})
	}
}

func TestEmbeddedOfAnotherVersion(t *testing.T) {
	t.Parallel()
	for _, name := range [][2]string{{"serverless", "3.39.1"}, {"osls", "3.39.0"}, {"serverless", ""}, {"../locks/osls", "4.3.1"}} {
		if lock, ok := npm.Embedded(name[0], name[1]); ok {
			t.Errorf("%q has the lock of %s %s", name, lock.Name, lock.Version)
		}
	}
}

func TestParseMistakes(t *testing.T) {
	t.Parallel()
	const hint = "; make a lock in an empty folder with `npm install --package-lock-only --save-exact --omit-lockfile-registry-resolved serverless@3.39.0`"
	for name, test := range map[string]struct {
		lock, err string
	}{
		"it is not JSON": {
			"{\n\"lockfileVersion\": 3,\n}",
			"line 3 is not JSON: invalid character '}' looking for beginning of object key string",
		},
		"it is other JSON": {
			`[]`,
			"not a package-lock.json: json: cannot unmarshal array into Go value of type map[string]json.RawMessage",
		},
		"it is of npm 6": {
			`{"lockfileVersion": 1, "dependencies": {}}`,
			"lockfileVersion is 1, and must be 2 or 3" + hint,
		},
		"it is for something else": {
			lockOf(`"osls": "4.3.1"`),
			"the lock does not depend on serverless" + hint,
		},
		"it depends on an address": {
			lockOf(`"serverless": "3.39.0", "evil": "https://ci:hunter2@example.com/evil.tgz"`, locked("serverless", "3.39.0")),
			"the lock depends on evil by an address, not by a version of the registry" + hint,
		},
		"it depends on a repository for development": {
			lockOf(`"serverless": "3.39.0"}, "devDependencies": {"evil": "someone/evil"`, locked("serverless", "3.39.0")),
			"the lock depends on evil by an address, not by a version of the registry" + hint,
		},
		"it asks for a range": {
			lockOf(`"serverless": "^3.39.0"`, locked("serverless", "3.39.0")),
			`the lock asks for serverless "^3.39.0" and holds "3.39.0", but "3.39.0" is to be installed` + hint,
		},
		"it is for another version": {
			lockOf(`"serverless": "3.38.0"`, locked("serverless", "3.38.0")),
			`the lock asks for serverless "3.38.0" and holds "3.38.0", but "3.39.0" is to be installed` + hint,
		},
		"it holds no framework": {
			lockOf(`"serverless": "3.39.0"`),
			`the lock asks for serverless "3.39.0" and holds "", but "3.39.0" is to be installed` + hint,
		},
		"one package has no integrity": {
			framework(`"node_modules/a": {"version": "1.0.0"}`),
			"node_modules/a has no sha512 integrity to check its download by" + hint,
		},
		"several packages have none": {
			framework(`"node_modules/b": {}`, `"node_modules/a/node_modules/c": {}`, `"packages/a": {}`),
			"3 packages have no sha512 integrity to check their downloads by, node_modules/a/node_modules/c is the first" + hint,
		},
		"SHA-1 can be forged": {
			framework(`"node_modules/a": {"integrity": "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk="}`),
			"node_modules/a has no sha512 integrity to check its download by" + hint,
		},
		"a digest is cut off, which npm takes for none": {
			framework(`"node_modules/a": {"integrity": "sha512-2jmj7l5rSw0yVb/vlWAYkK/YBwk="}`),
			"node_modules/a has no sha512 integrity to check its download by" + hint,
		},
		"a key in the wrong case means nothing to npm": {
			framework(`"node_modules/a": {"Integrity": "` + sum + `"}`),
			"node_modules/a has no sha512 integrity to check its download by" + hint,
		},
		"a bundled package is within no other": {
			framework(`"node_modules/a": {"inBundle": true}`),
			"node_modules/a has no sha512 integrity to check its download by" + hint,
		},
		"a bundled package is in none that bundles it": {
			framework(locked("a", "1.0.0"), `"node_modules/a/node_modules/b": {"inBundle": true}`),
			"node_modules/a/node_modules/b has no sha512 integrity to check its download by" + hint,
		},
		"a package beside the one that bundles it": {
			framework(`"node_modules/a": {"integrity": "`+sum+`", "bundleDependencies": ["b"]}`, `"node_modules/b": {"inBundle": true}`),
			"node_modules/b has no sha512 integrity to check its download by" + hint,
		},
		"what the framework depends on is not for development alone": {
			lockOf(`"serverless": "3.39.0"`, frameworkOn(`"dependencies": {"a": "1.0.0"}`),
				`"node_modules/a": {"version": "1.0.0", "dev": true, "resolved": "https://npm.example.com/a.tgz"}`),
			"node_modules/a is marked as needed for development only, but what is to be installed depends on it" + hint,
		},
		"what the root depends on is not for development alone": {
			lockOf(`"serverless": "3.39.0", "a": "1.0.0"`, locked("serverless", "3.39.0"), `"node_modules/a": {"version": "1.0.0", "integrity": "`+sum+`", "dev": true}`),
			"node_modules/a is marked as needed for development only, but what is to be installed depends on it" + hint,
		},
		"what is for development and for more has no integrity": {
			lockOf(`"serverless": "3.39.0", "a": "1.0.0"}, "devDependencies": {"a": "1.0.0"`, locked("serverless", "3.39.0"), `"node_modules/a": {"version": "1.0.0", "dev": true}`),
			"node_modules/a has no sha512 integrity to check its download by" + hint,
		},
		"a peer of the framework, for development": {
			lockOf(`"serverless": "3.39.0"`, frameworkOn(`"peerDependencies": {"a": "1.0.0"}`), `"node_modules/a": {"version": "1.0.0", "dev": true}`),
			"node_modules/a has no sha512 integrity to check its download by" + hint,
		},
		"an optional package, for development": {
			lockOf(`"serverless": "3.39.0"`, frameworkOn(`"optionalDependencies": {"a": "1.0.0"}`), `"node_modules/a": {"version": "1.0.0", "dev": true}`),
			"node_modules/a has no sha512 integrity to check its download by" + hint,
		},
		"an optional package has no integrity":   {framework(`"node_modules/a": {"optional": true}`), "node_modules/a has no sha512 integrity to check its download by" + hint},
		"an extraneous package has no integrity": {framework(`"node_modules/a": {"extraneous": true}`), "node_modules/a has no sha512 integrity to check its download by" + hint},
		"a link": {
			framework(`"node_modules/a": {"resolved": "../a", "link": true}`),
			"node_modules/a is a link to a folder, which is not part of the build" + hint,
		},
		"a link that the framework depends on, for development": {
			lockOf(`"serverless": "3.39.0"`, frameworkOn(`"peerDependencies": {"a": "1.0.0"}`), `"node_modules/a": {"resolved": "../a", "link": true, "dev": true}`),
			"node_modules/a is a link to a folder, which is not part of the build" + hint,
		},
		"a path in another spelling": {
			lockOf(`"serverless": "3.39.0"`, frameworkOn(`"dependencies": {"a": "1.0.0"}`), `"node_modules//a": {"version": "1.0.0", "dev": true}`),
			`"node_modules//a" is not a path that npm writes into a lock` + hint,
		},
		"a path that leads back": {
			framework(`"node_modules/b/../a": {"dev": true}`),
			`"node_modules/b/../a" is not a path that npm writes into a lock` + hint,
		},
		"a path with too much in it": {
			framework(`"node_modules/a/b": {"dev": true}`),
			`"node_modules/a/b" is not a path that npm writes into a lock` + hint,
		},
		"a package comes from git": {
			framework(`"node_modules/a": {"resolved": "git+ssh://git@example.com/a.git#1", "integrity": "` + sum + `"}`),
			"node_modules/a comes from a git+ssh: address, not from a registry" + hint,
		},
		"a package comes from a file": {
			framework(`"node_modules/a": {"resolved": "file:../a.tgz", "integrity": "` + sum + `"}`),
			"node_modules/a comes from a file: address, not from a registry" + hint,
		},
		"an address is a path": {
			framework(`"node_modules/a": {"resolved": "../a", "integrity": "` + sum + `"}`),
			"node_modules/a comes from an address that is no URL, not from a registry" + hint,
		},
		"an address has a password": {
			framework(`"node_modules/a": {"resolved": "https://me:secret@npm.example.com/a.tgz", "integrity": "` + sum + `"}`),
			"node_modules/a has a user or a password in its address, which would end up in the build" + hint,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := npm.Parse([]byte(test.lock), "serverless", "3.39.0")
			if err == nil || err.Error() != test.err {
				t.Errorf("got  %v\nwant %s", err, test.err)
			}
		})
	}
}

func TestParseAccepts(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		lock     string
		resolved bool
	}{
		"nothing but the framework":       {framework(), false},
		"the format of npm 7 and 8":       {strings.Replace(framework(), `: 3,`, `: 2, "dependencies": {"serverless": {}},`, 1), false},
		"a registry's address, and tells": {framework(`"node_modules/a": {"resolved": "https://npm.example.com/a.tgz", "integrity": "` + sum + `"}`), true},
		"packages in one that bundles them": {framework(
			`"node_modules/a": {"integrity": "`+sum+`", "bundleDependencies": ["b"]}`,
			`"node_modules/a/node_modules/b": {"inBundle": true, "dependencies": {"c": "1"}}`,
			`"node_modules/a/node_modules/c": {"inBundle": true}`,
			`"node_modules/a/node_modules/b/node_modules/d": {"inBundle": true}`), false},
		"a word in the place of the bundled packages": {framework(`"node_modules/a": {"integrity": "` + sum + `", "bundleDependencies": true}`), false},
		"a link for development":                      {framework(`"node_modules/a": {"resolved": "../a", "link": true, "dev": true}`), false},
		"what is for development alone":               {framework(`"node_modules/a": {"resolved": "git+ssh://git@example.com/a.git#1", "dev": true}`), false},
		"several digests, one of them strong":         {framework(`"node_modules/a": {"integrity": "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk= ` + sum + `"}`), false},
		"engines in a form that npm has given":        {framework(`"node_modules/a": {"integrity": "` + sum + `", "engines": ["node >= 0.2"]}`), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lock := parseLock(t, test.lock)
			if lock.Resolved != test.resolved {
				t.Errorf("resolved is %v, want %v", lock.Resolved, test.resolved)
			}
		})
	}
}

func TestPackageJSON(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		lock, want string
	}{
		"the framework alone": {
			framework(),
			"{\n  \"private\": true,\n  \"dependencies\": {\n    \"serverless\": \"3.39.0\"\n  }\n}\n",
		},
		"with its plugins, in order": {
			lockOf(`"serverless": "3.39.0", "a-plugin": ">=1"`, locked("serverless", "3.39.0"), locked("a-plugin", "1.0.0")),
			"{\n  \"private\": true,\n  \"dependencies\": {\n    \"a-plugin\": \">=1\",\n    \"serverless\": \"3.39.0\"\n  }\n}\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := string(parseLock(t, test.lock).PackageJSON()); got != test.want {
				t.Errorf("got %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestNodeFloor(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		engines []string
		want    string
	}{
		"no package asks for one":                  {nil, "0"},
		"any version":                              {[]string{"*", ""}, "0"},
		"the highest of all":                       {[]string{">=14", ">= 12.0", ">=18.0.0"}, "18"},
		"a minor version":                          {[]string{">=18", "^20.19.0 || ^22.13.0 || >=24"}, "20.19"},
		"a patch":                                  {[]string{">=20.18.1"}, "20.18.1"},
		"the first that suits all":                 {[]string{"14 || >=16", ">=15"}, "16"},
		"a gap in the middle":                      {[]string{">=6.4.0 <13 || >=14", ">=13.1"}, "14"},
		"an x":                                     {[]string{"4.x || >=6.0.0", ">=0.8.x"}, "4"},
		"a tilde":                                  {[]string{"~18.2"}, "18.2"},
		"a caret below 1":                          {[]string{"^0.12.3", ">0.12.4 <=0.13"}, "0.12.5"},
		"from one to another":                      {[]string{"16 - 18", ">16"}, "17"},
		"a v, and an equals sign":                  {[]string{">=v18.1", "=18.2.0"}, "18.2"},
		"before a prerelease":                      {[]string{">=14.17.0 <15.0.0-0"}, "14.17"},
		"no version suits all":                     {[]string{"^18", ">=20"}, ""},
		"no version suits one":                     {[]string{">20 <20"}, ""},
		"what npm cannot read asks for nothing":    {[]string{"lts", ">=16"}, "16"},
		"a number too long asks for nothing, too ": {[]string{">=99999999999999999999", ">=16"}, "16"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lock := parseLock(t, withEngines(test.engines...))
			got := lock.NodeFloor()
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestPackagesRefusing(t *testing.T) {
	t.Parallel()
	lock := parseLock(t, withEngines(">=20.19", "18", "*", ">=18.1.0"))
	for name, test := range map[string]struct {
		node string
		want []string
	}{
		"a release line, of which some releases do": {"20", []string{"b@1.0.0"}},
		"the same, as Lambda writes it":             {"20.x", []string{"b@1.0.0"}},
		"one release":                               {"20.18.0", []string{"a@1.0.0", "b@1.0.0"}},
		"an older line":                             {"16", []string{"a@1.0.0", "b@1.0.0", "d@1.0.0"}},
		"a newer line":                              {"v24", []string{"b@1.0.0"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := lock.PackagesRefusing(test.node)
			if err != nil || !slices.Equal(got, test.want) {
				t.Errorf("got %q, %v, want %q", got, err, test.want)
			}
		})
	}
	if _, err := lock.PackagesRefusing("nodejs20.x"); err == nil || err.Error() != `"nodejs20.x" is not a version or range of Node.js` {
		t.Errorf("a runtime's name: got %v", err)
	}
}

func TestNative(t *testing.T) {
	t.Parallel()
	const head = `{"version": "1.0.0", "integrity": "` + sum + `", `
	for name, test := range map[string]struct {
		entry        string
		native       bool
		amd64, arm64 bool
		optional     bool
		compiled     bool
	}{
		"plain JavaScript":                  {entry: `"engines": {"node": ">=18"}}`},
		"an install script of other use":    {entry: `"hasInstallScript": true}`},
		"one architecture":                  {entry: `"os": ["linux"], "cpu": ["x64"]}`, native: true, amd64: true},
		"the other, where npm has the need": {entry: `"cpu": "arm64", "optional": true}`, native: true, arm64: true, optional: true},
		"another system":                    {entry: `"os": ["darwin"]}`, native: true},
		"all but one architecture":          {entry: `"cpu": ["!arm64"]}`, native: true, amd64: true},
		"all but another system":            {entry: `"os": ["!win32"]}`, native: true, amd64: true, arm64: true},
		"any":                               {entry: `"os": ["any"]}`, native: true, amd64: true, arm64: true},
		"another C library":                 {entry: `"os": ["linux"], "libc": ["musl"]}`, native: true},
		"optional, or for development":      {entry: `"os": ["darwin"], "devOptional": true}`, native: true, optional: true},
		"for development alone":             {entry: `"os": ["darwin"], "dev": true}`},
		"compiled on the spot":              {entry: `"hasInstallScript": true, "dependencies": {"node-gyp-build": "4"}}`, native: true, amd64: true, arm64: true, compiled: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			native := parseLock(t, framework(`"node_modules/x/node_modules/@a/b": `+head+test.entry)).Native()
			if !test.native {
				if len(native) > 0 {
					t.Errorf("got %+v, want none", native)
				}
				return
			}
			if len(native) != 1 || native[0].Name != "@a/b" || native[0].Version != "1.0.0" {
				t.Fatalf("got %+v, want @a/b 1.0.0", native)
			}
			n := native[0]
			if n.Optional != test.optional || n.Compiled != test.compiled {
				t.Errorf("got %+v", n)
			}
			if amd64, arm64 := n.RunsOn("amd64"), n.RunsOn("arm64"); amd64 != test.amd64 || arm64 != test.arm64 {
				t.Errorf("runs on amd64: %v, want %v; on arm64: %v, want %v", amd64, test.amd64, arm64, test.arm64)
			}
		})
	}
}

// FuzzParse: whatever the file, there is an error, or a lock that can be installed and whose floor
// for Node.js is right.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		framework(),
		framework(`"node_modules/a": {"integrity": "`+sum+`", "bundleDependencies": ["b"]}`, `"node_modules/a/node_modules/b": {"inBundle": true}`),
		withEngines("^20.19.0 || ^22.13.0 || >=24", "14 || >=16", "1.2 - 2.3.4", "~> 1.x", ">=20.0.0-rc.1"),
		lockOf(`"osls": "4.3.1"`),
	} {
		f.Add([]byte(seed), "serverless", "3.39.0")
	}
	f.Fuzz(func(t *testing.T, data []byte, flavor, version string) {
		given := bytes.Clone(data)
		lock, err := npm.Parse(data, flavor, version)
		if !bytes.Equal(data, given) {
			t.Fatal("the data has changed")
		}
		if err != nil {
			if err.Error() == "" {
				t.Fatal("an error without a text")
			}
			return
		}
		var manifest struct{ Dependencies map[string]string }
		if err := json.Unmarshal(lock.PackageJSON(), &manifest); err != nil || manifest.Dependencies[flavor] != version {
			t.Errorf("package.json is %s: %v", lock.PackageJSON(), err)
		}
		for _, native := range lock.Native() {
			native.RunsOn("arm64")
		}
		floor := lock.NodeFloor()
		if floor == "" {
			return
		}
		if refusing, err := lock.PackagesRefusing(floor); err != nil || len(refusing) > 0 {
			t.Errorf("the lowest Node is %s, and %q refuse it: %v", floor, refusing, err)
		}
	})
}

// sum is the sha512 of nothing.
const sum = "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg=="

// lockOf is a lock whose root depends on dependencies.
func lockOf(dependencies string, entries ...string) string {
	all := append([]string{`"": {"dependencies": {` + dependencies + `}}`}, entries...)
	return `{"lockfileVersion": 3, "packages": {` + strings.Join(all, ", ") + `}}`
}

// framework returns a lock of serverless 3.39.0 and more packages.
func framework(entries ...string) string {
	return lockOf(`"serverless": "3.39.0"`, append(entries, locked("serverless", "3.39.0"))...)
}

// frameworkOn returns the entry of serverless 3.39.0 with its dependencies.
func frameworkOn(dependencies string) string {
	return `"node_modules/serverless": {"version": "3.39.0", "integrity": "` + sum + `", ` + dependencies + `}`
}

// withEngines returns a lock with a package a, b, c, … for each range of Node.js.
func withEngines(engines ...string) string {
	var entries []string
	for i, node := range engines {
		name := string(rune('a' + i))
		entries = append(entries, `"node_modules/`+name+`": {"version": "1.0.0", "integrity": "`+sum+`", "engines": {"node": "`+node+`"}}`)
	}
	return framework(entries...)
}

func locked(name, version string) string {
	return `"node_modules/` + name + `": {"version": "` + version + `", "integrity": "` + sum + `"}`
}

func parseLock(t *testing.T, data string) *npm.Lock {
	t.Helper()
	lock, err := npm.Parse([]byte(data), "serverless", "3.39.0")
	if err != nil {
		t.Fatal(err)
	}
	return lock
}

// checkIntegrities reads a lock without the code that it checks.
func checkIntegrities(t *testing.T, data []byte, want int) {
	t.Helper()
	var content struct{ Packages map[string]map[string]any }
	if err := json.Unmarshal(data, &content); err != nil {
		t.Fatal(err)
	}
	delete(content.Packages, "")
	if len(content.Packages) != want {
		t.Errorf("%d packages, want %d", len(content.Packages), want)
	}
	for path, pkg := range content.Packages {
		if integrity, _ := pkg["integrity"].(string); !strings.HasPrefix(integrity, "sha512-") || strings.Contains(integrity, " ") {
			t.Errorf("%s has the integrity %q", path, integrity)
		}
		if resolved, ok := pkg["resolved"]; ok {
			t.Errorf("%s is resolved to %v", path, resolved)
		}
	}
}
