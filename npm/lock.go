package llbgen

import (
	"bytes"
	"embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// embeddedLocks are package-lock.json files named <flavor>-<version>.json. How
// they are made stands in locks/README.md.
//
//go:embed locks/*.json
var embeddedLocks embed.FS

// Lock is a package-lock.json that pins one version of the Serverless Framework
// and all that it depends on, each package by an integrity, as
// https://docs.npmjs.com/cli/configuring-npm/package-lock-json has it.
type Lock struct {
	Package string // the flavor, which is the npm package: serverless or osls
	Version string
	Data    []byte // the package-lock.json as it was given

	// Resolved says that the lock holds the addresses of a registry. npm asks
	// the mirror in place of registry.npmjs.org, and any other one as it stands.
	Resolved bool

	embedded bool
	root     lockedRoot
	packages []lockedPackage // what npm may fetch or find in a bundle, by path
}

// modulesDir begins the name of each package in the path of its place.
const modulesDir = "node_modules/"

// parsedLocks are the locks that samforge carries, func() (*Lock, bool) by name.
// Reading one takes long enough to be felt in a build file of many runtimes.
var parsedLocks sync.Map

// EmbeddedLock returns the lock of a version that samforge carries. It is shared
// and must not be changed.
func EmbeddedLock(flavor, version string) (*Lock, bool) {
	read := func() (*Lock, bool) { return readEmbeddedLock(flavor, version) }
	once, _ := parsedLocks.LoadOrStore(flavor+"-"+version, sync.OnceValues(read))
	return once.(func() (*Lock, bool))()
}

func readEmbeddedLock(flavor, version string) (*Lock, bool) {
	data, err := embeddedLocks.ReadFile("locks/" + flavor + "-" + version + ".json")
	if err != nil {
		return nil, false
	}
	lock, err := ParseLock(data, flavor, version)
	if err != nil {
		return nil, false // a test parses them all
	}
	lock.embedded = true
	return lock, true
}

// unlocked stands for a version without a lock: it has no Data, and npm chooses
// what the version depends on.
func unlocked(flavor, version string) *Lock {
	return &Lock{Package: flavor, Version: version, root: lockedRoot{Dependencies: map[string]string{flavor: version}}}
}

// EmbeddedVersions returns the versions of a flavor that [EmbeddedLock] knows,
// the newest first.
func EmbeddedVersions(flavor string) []string {
	files, err := embeddedLocks.ReadDir("locks")
	if err != nil {
		return nil
	}
	var versions []string
	for _, file := range files {
		name := strings.TrimSuffix(file.Name(), ".json")
		if version, ok := strings.CutPrefix(name, flavor+"-"); ok {
			versions = append(versions, version)
		}
	}
	slices.SortFunc(versions, func(a, b string) int { return compareVersions(b, a) })
	return versions
}

// ParseLock reads the package-lock.json of one version of a flavor. It is an
// error when the lock is for something else, or when npm could not check, by
// the lock alone, each package that it downloads.
func ParseLock(data []byte, flavor, version string) (*Lock, error) {
	var file lockFile
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, lockSyntaxError(data, err)
	}
	if file.Version != 2 && file.Version != 3 {
		return nil, fmt.Errorf("lockfileVersion is %d, and must be 2 or 3; %s", file.Version, makeLock(flavor, version))
	}
	lock := &Lock{Package: flavor, Version: version, Data: data}
	if err := lock.readRoot(file.Packages); err != nil {
		return nil, err
	}
	tree := newLockTree(file.Packages)
	if err := tree.check(); err != nil {
		return nil, fmt.Errorf("%w; %s", err, makeLock(flavor, version))
	}
	lock.packages = tree.fetched()
	if err := lock.checkSources(tree.bundled()); err != nil {
		return nil, err
	}
	return lock, nil
}

// PackageJSON returns the package.json that the lock was made from, as far as
// `npm ci` compares the two.
func (l *Lock) PackageJSON() []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false) // ">=1" stays readable
	encoder.SetIndent("", "  ")
	manifest := struct {
		Private bool `json:"private"`
		lockedRoot
	}{true, l.root}
	if err := encoder.Encode(manifest); err != nil {
		return nil // maps of strings always encode
	}
	return b.Bytes()
}

// NodeFloor returns the lowest Node version that every locked package accepts,
// as short as it can be said: "18", "20.19". It is "0" where no package asks
// for one, and "" where no version suits all.
func (l *Lock) NodeFloor() string {
	candidates := []nodeVersion{{}}
	for _, pkg := range l.packages {
		for _, span := range pkg.node {
			candidates = append(candidates, span.from)
		}
	}
	slices.SortFunc(candidates, nodeVersion.compare)
	for _, version := range slices.Compact(candidates) {
		if len(l.refusing(nodeRange{{version, version.next(2)}})) == 0 {
			return version.String()
		}
	}
	return ""
}

// PackagesRefusing returns the packages, as name@version, that accept no
// version of Node within node, which may be one version ("18.20.8") or all of
// a release line ("18", "18.x").
func (l *Lock) PackagesRefusing(node string) ([]string, error) {
	want, err := parseNodeRange(node)
	if err != nil {
		return nil, err
	}
	return l.refusing(want), nil
}

func (l *Lock) refusing(want nodeRange) []string {
	var names []string
	for _, pkg := range l.packages {
		if pkg.node != nil && !pkg.node.overlaps(want) {
			names = append(names, pkg.String())
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// onNode says why the framework does not run on a node image's Node.js, by what
// it says itself; or, as advice, that other packages would have another one. A
// node that is not known has nothing against it.
func (l *Lock) onNode(node Runtime) (problem, advice string) {
	if node.Version == "" {
		return "", ""
	}
	refusing, err := l.PackagesRefusing(node.Version)
	switch {
	case err != nil || len(refusing) == 0:
		return "", ""
	case slices.Contains(refusing, l.Package+"@"+l.Version):
		return fmt.Sprintf("%s %s needs Node.js %s or later, and %s has %s", l.Package, l.Version, l.NodeFloor(), node.Name, node.Version), ""
	default:
		return "", fmt.Sprintf("%d packages of %s %s want another Node.js than %s's, %s among them", len(refusing), l.Package, l.Version, node.Name, refusing[0])
	}
}

// readRoot checks that the lock is for the version that is to be installed.
func (l *Lock) readRoot(packages map[string]lockEntry) error {
	l.root = packages[""].lockedRoot
	asked, ok := l.root.Dependencies[l.Package]
	if !ok {
		return fmt.Errorf("the lock does not depend on %s; %s", l.Package, makeLock(l.Package, l.Version))
	}
	locked := packages[modulesDir+l.Package].Version
	if asked != l.Version || locked != l.Version {
		return fmt.Errorf("the lock asks for %s %q and holds %q, but %q is to be installed; %s",
			l.Package, asked, locked, l.Version, makeLock(l.Package, l.Version))
	}
	return nil
}

// checkSources checks that each package can be fetched and verified. A bundled
// package comes within the one that bundles it and is not fetched.
func (l *Lock) checkSources(bundled map[string]bool) error {
	var unverified []string
	for _, pkg := range l.packages {
		if bundled[pkg.path] {
			continue
		}
		if pkg.Resolved != "" {
			if err := checkAddress(pkg.Resolved); err != nil {
				return fmt.Errorf("%s %w; %s", pkg.path, err, makeLock(l.Package, l.Version))
			}
			l.Resolved = true
		}
		if !verifiable(pkg.Integrity) {
			unverified = append(unverified, pkg.path)
		}
	}
	switch n := len(unverified); n {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("%s has no sha512 integrity to check its download by; %s",
			unverified[0], makeLock(l.Package, l.Version))
	default:
		return fmt.Errorf("%d packages have no sha512 integrity to check their downloads by, %s is the first; %s",
			n, unverified[0], makeLock(l.Package, l.Version))
	}
}

// checkAddress refuses what npm does not fetch from a registry. Its errors do
// not repeat the address, which may hold a password.
func checkAddress(resolved string) error {
	address, err := url.Parse(resolved)
	switch {
	case err != nil || address.Scheme == "":
		return errors.New("comes from an address that is no URL, not from a registry")
	case address.Scheme != "http" && address.Scheme != "https":
		return fmt.Errorf("comes from a %s: address, not from a registry", address.Scheme)
	case address.User != nil:
		return errors.New("has a user or a password in its address, which would end up in the build")
	}
	return nil
}

// verifiable says whether integrity holds a digest that npm checks and that
// nobody can forge. npm takes one it cannot read for none, and installs
// unverified. https://www.w3.org/TR/SRI/#the-integrity-attribute
func verifiable(integrity string) bool {
	sizes := map[string]int{"sha256": 32, "sha384": 48, "sha512": 64}
	return slices.ContainsFunc(strings.Fields(integrity), func(digest string) bool {
		algorithm, encoded, _ := strings.Cut(digest, "-")
		encoded, _, _ = strings.Cut(encoded, "?") // options, of which there are none yet
		sum, err := base64.StdEncoding.DecodeString(encoded)
		return err == nil && len(sum) > 0 && len(sum) == sizes[algorithm]
	})
}

// makeLock says how to make the right lock.
func makeLock(flavor, version string) string {
	return fmt.Sprintf("make a lock in an empty folder with "+
		"`npm install --package-lock-only --save-exact --omit-lockfile-registry-resolved %s@%s`", flavor, version)
}

func lockSyntaxError(data []byte, err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		line := 1 + bytes.Count(data[:min(int(syntax.Offset), len(data))], []byte("\n"))
		return fmt.Errorf("line %d is not JSON: %w", line, err)
	}
	return fmt.Errorf("not a package-lock.json: %w", err)
}

// The parts of a package-lock.json that are read here. npm tells upper from
// lower case and encoding/json does not, so that "Integrity" would pass here
// and mean nothing to npm: each key is looked up by its exact name.
type (
	lockFile struct {
		Version  int
		Packages map[string]lockEntry
	}
	lockEntry struct {
		lockedRoot
		lockedPackage
	}
	lockedRoot struct {
		Dependencies         map[string]string `json:"dependencies,omitempty"`
		DevDependencies      map[string]string `json:"devDependencies,omitempty"`
		OptionalDependencies map[string]string `json:"optionalDependencies,omitempty"`
		PeerDependencies     map[string]string `json:"peerDependencies,omitempty"`
	}
	lockedPackage struct {
		path string // node_modules/…, its place in the tree

		Name                string // only where it differs from the path's
		Version             string
		Resolved, Integrity string

		// What the lock says of the package. npm believes it in part; see lockTree.
		Link                  bool
		Dev                   bool // for development alone
		Optional, DevOptional bool // DevOptional: for development too, where it is not optional
		Bundles               []string

		required         bool // the packages to install need it, whatever the lock says
		OS, CPU, Libc    words
		HasInstallScript bool

		node      nodeRange // nil where any will do
		dependsOn map[string]string
		edges     []string // names of what it depends on in one way or another
		requires  []string // names of what it cannot do without
	}
)

func (f *lockFile) UnmarshalJSON(data []byte) error {
	return readKeys(data, key{"lockfileVersion", &f.Version}, key{"packages", &f.Packages})
}

func (e *lockEntry) UnmarshalJSON(data []byte) error {
	var engines, bundles json.RawMessage
	if err := readKeys(data,
		key{"dependencies", &e.Dependencies},
		key{"devDependencies", &e.DevDependencies},
		key{"optionalDependencies", &e.OptionalDependencies},
		key{"peerDependencies", &e.PeerDependencies},
		key{"name", &e.Name},
		key{"version", &e.Version},
		key{"resolved", &e.Resolved},
		key{"integrity", &e.Integrity},
		key{"link", &e.Link},
		key{"bundleDependencies", &bundles},
		key{"dev", &e.Dev},
		key{"optional", &e.Optional},
		key{"devOptional", &e.DevOptional},
		key{"os", &e.OS},
		key{"cpu", &e.CPU},
		key{"libc", &e.Libc},
		key{"hasInstallScript", &e.HasInstallScript},
		key{"engines", &engines},
	); err != nil {
		return err
	}
	if json.Unmarshal(bundles, &e.Bundles) != nil {
		e.Bundles = nil // npm reads a list of names and nothing else
	}
	e.dependsOn = e.Dependencies
	for _, names := range []map[string]string{e.Dependencies, e.OptionalDependencies, e.PeerDependencies} {
		e.edges = slices.AppendSeq(e.edges, maps.Keys(names))
	}
	for name := range e.Dependencies {
		_, optional := e.OptionalDependencies[name]
		_, development := e.DevDependencies[name]
		if !optional && !development { // the later ones win, as in npm
			e.requires = append(e.requires, name)
		}
	}

	// Engines are advice, and some old packages have a list or a word that npm
	// itself cannot read: these ask for nothing.
	var node string
	if readKeys(engines, key{"node", &node}) == nil && node != "" {
		if accepted, err := parseNodeRange(node); err == nil {
			e.node = accepted
		}
	}
	return nil
}

type key struct {
	name string
	into any
}

func readKeys(object []byte, keys ...key) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(object, &fields); err != nil {
		return err
	}
	for _, k := range keys {
		if value, ok := fields[k.name]; ok {
			if err := json.Unmarshal(value, k.into); err != nil {
				return fmt.Errorf("%s: %w", k.name, err)
			}
		}
	}
	return nil
}

// words are a list, or one word for a list of one.
type words []string

func (w *words) UnmarshalJSON(data []byte) error {
	var word string
	if json.Unmarshal(data, &word) == nil && word != "" {
		*w = words{word}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(w))
}

func (p lockedPackage) name() string {
	if p.Name != "" {
		return p.Name
	}
	if i := strings.LastIndex(p.path, modulesDir); i >= 0 {
		return p.path[i+len(modulesDir):]
	}
	return p.path
}

func (p lockedPackage) String() string { return p.name() + "@" + p.Version }
