package npm

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Lock is a package-lock.json that pins one version of a package and all its dependencies, each by
// an integrity: https://docs.npmjs.com/cli/configuring-npm/package-lock-json
type Lock struct {
	Name    string // of the package
	Version string
	// Data is the package-lock.json as given; nil if there is none and npm chooses the versions.
	Data []byte
	// Resolved is true if the lock contains download addresses. npm uses the mirror in place of
	// registry.npmjs.org, and other registries as they are.
	Resolved bool

	embedded bool
	root     dependencies
	packages []Package // what npm may fetch or find in a bundle, by place
}

// Parse reads the package-lock.json of one version of a package. It returns an error if the lock is
// for another package or version, or if npm could not verify every download by it.
func Parse(data []byte, name, version string) (*Lock, error) {
	var file lockFile
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, syntaxError(data, err)
	}
	lock := &Lock{Name: name, Version: version, Data: data}
	tree, err := lock.read(file)
	if err != nil {
		return nil, fmt.Errorf("%w; %s", err, MakeLock(name, version))
	}
	lock.packages = tree.fetched()
	if err := lock.checkSources(tree.bundled()); err != nil {
		return nil, fmt.Errorf("%w; %s", err, MakeLock(name, version))
	}
	return lock, nil
}

// Unlocked returns the Lock of a version without a lock file: npm chooses the versions of its
// dependencies.
func Unlocked(name, version string) *Lock {
	return &Lock{Name: name, Version: version, root: dependencies{Dependencies: map[string]string{name: version}}}
}

// String returns name@version.
func (l *Lock) String() string { return l.Name + "@" + l.Version }

// PackageJSON returns the package.json that the lock was made from, reduced to what `npm ci`
// compares with the lock.
func (l *Lock) PackageJSON() []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false) // ">=1" stays readable
	encoder.SetIndent("", "  ")
	manifest := struct {
		Private bool `json:"private"`
		dependencies
	}{true, l.root}
	if err := encoder.Encode(manifest); err != nil {
		return nil // maps of strings always encode
	}
	return b.Bytes()
}

// read checks that the lock is for the version to install, and that its tree is valid.
func (l *Lock) read(file lockFile) (*tree, error) {
	if file.Version != 2 && file.Version != 3 {
		return nil, fmt.Errorf("lockfileVersion is %d, and must be 2 or 3", file.Version)
	}
	l.root = file.Packages[""].dependencies
	if name, ok := l.root.fromElsewhere(); ok {
		return nil, fmt.Errorf("the lock depends on %s by an address, not by a version of the registry", name)
	}
	asked, ok := l.root.Dependencies[l.Name]
	if !ok {
		return nil, fmt.Errorf("the lock does not depend on %s", l.Name)
	}
	locked := file.Packages[modulesDir+l.Name].Version
	if asked != l.Version || locked != l.Version {
		return nil, fmt.Errorf("the lock asks for %s %q and holds %q, but %q is to be installed", l.Name, asked, locked, l.Version)
	}
	t := newTree(file.Packages)
	return t, t.check()
}

// checkSources checks that each package can be fetched and verified. A bundled package is part of
// the package that bundles it, and is not fetched.
func (l *Lock) checkSources(bundled map[string]bool) error {
	var unverified []string
	for _, pkg := range l.packages {
		if bundled[pkg.Place] {
			continue
		}
		if pkg.Resolved != "" {
			if err := checkAddress(pkg.Resolved); err != nil {
				return fmt.Errorf("%s %w", pkg.Place, err)
			}
			l.Resolved = true
		}
		if !verifiable(pkg.Integrity) {
			unverified = append(unverified, pkg.Place)
		}
	}
	switch n := len(unverified); n {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("%s has no sha512 integrity to check its download by", unverified[0])
	default:
		return fmt.Errorf("%d packages have no sha512 integrity to check their downloads by, %s is the first", n, unverified[0])
	}
}

// checkAddress refuses an address that is not in a registry. Its errors do not repeat the address,
// which may contain a password.
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

// verifiable reports whether integrity contains a digest that npm checks and that nobody can forge.
// npm ignores a digest that it cannot read, and installs the package unverified.
// https://www.w3.org/TR/SRI/#the-integrity-attribute
func verifiable(integrity string) bool {
	sizes := map[string]int{"sha256": 32, "sha384": 48, "sha512": 64}
	return slices.ContainsFunc(strings.Fields(integrity), func(digest string) bool {
		algorithm, encoded, _ := strings.Cut(digest, "-")
		encoded, _, _ = strings.Cut(encoded, "?") // no options are defined yet
		sum, err := base64.StdEncoding.DecodeString(encoded)
		return err == nil && len(sum) > 0 && len(sum) == sizes[algorithm]
	})
}

// MakeLock returns the part of a sentence that says how to make a lock.
func MakeLock(name, version string) string {
	return fmt.Sprintf("make a lock in an empty folder with "+
		"`npm install --package-lock-only --save-exact --omit-lockfile-registry-resolved %s@%s`", name, version)
}

func syntaxError(data []byte, err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		line := 1 + bytes.Count(data[:min(int(syntax.Offset), len(data))], []byte("\n"))
		return fmt.Errorf("line %d is not JSON: %w", line, err)
	}
	return fmt.Errorf("not a package-lock.json: %w", err)
}
