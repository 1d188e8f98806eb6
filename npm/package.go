package npm

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// modulesDir is the folder before each package name in a place.
const modulesDir = "node_modules/"

// Package is a package of a lock.
type Package struct {
	// Place is the path of the package in the tree: node_modules/a/node_modules/b.
	Place   string
	Version string
	// Resolved is the address that the lock has for the package, or "".
	Resolved string
	// Integrity is one or more digests: https://www.w3.org/TR/SRI/#the-integrity-attribute
	Integrity string

	alias string // the package's name, if it is not the one in the place

	// What the lock says about the package. npm relies on some of it; see tree.
	link, dev             bool
	optional, devOptional bool // devOptional: needed for development, and optionally otherwise
	bundles               []string
	os, cpu, libc         words
	hasInstallScript      bool

	required  bool      // the packages to install need it, whatever the lock says
	node      nodeRange // nil if any version will do
	dependsOn map[string]string
	edges     []string // names of all its dependencies
	requires  []string // names of its required dependencies
}

// Name returns the package's name in the registry.
func (p Package) Name() string {
	if p.alias != "" {
		return p.alias
	}
	if i := strings.LastIndex(p.Place, modulesDir); i >= 0 {
		return p.Place[i+len(modulesDir):]
	}
	return p.Place
}

// String returns name@version.
func (p Package) String() string { return p.Name() + "@" + p.Version }

// mayBeMissing reports whether npm leaves the package out on a platform that it does not run on.
func (p Package) mayBeMissing() bool { return !p.required && (p.optional || p.devOptional) }

// The parts of a package-lock.json that are read here. npm distinguishes upper and lower case in
// keys, encoding/json does not: "Integrity" would count here and mean nothing to npm. So each key
// is looked up by its exact name.
type (
	lockFile struct {
		Version  int
		Packages map[string]lockEntry
	}
	lockEntry struct {
		dependencies
		Package
	}
	dependencies struct {
		Dependencies         map[string]string `json:"dependencies,omitempty"`
		DevDependencies      map[string]string `json:"devDependencies,omitempty"`
		OptionalDependencies map[string]string `json:"optionalDependencies,omitempty"`
		PeerDependencies     map[string]string `json:"peerDependencies,omitempty"`
	}
)

// fromElsewhere returns a dependency that npm would fetch from an address, a repository or a folder
// before it compares anything with the lock. The address may contain a password.
// https://docs.npmjs.com/cli/configuring-npm/package-json#dependencies
func (d dependencies) fromElsewhere() (name string, ok bool) {
	for _, specs := range []map[string]string{d.Dependencies, d.DevDependencies, d.OptionalDependencies, d.PeerDependencies} {
		for _, name := range slices.Sorted(maps.Keys(specs)) {
			if spec := specs[name]; !strings.HasPrefix(spec, "npm:") && strings.ContainsAny(spec, `:/\`) {
				return name, true
			}
		}
	}
	return "", false
}

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
		key{"name", &e.alias},
		key{"version", &e.Version},
		key{"resolved", &e.Resolved},
		key{"integrity", &e.Integrity},
		key{"link", &e.link},
		key{"bundleDependencies", &bundles},
		key{"dev", &e.dev},
		key{"optional", &e.optional},
		key{"devOptional", &e.devOptional},
		key{"os", &e.os},
		key{"cpu", &e.cpu},
		key{"libc", &e.libc},
		key{"hasInstallScript", &e.hasInstallScript},
		key{"engines", &engines},
	); err != nil {
		return err
	}
	if json.Unmarshal(bundles, &e.bundles) != nil {
		e.bundles = nil // npm reads a list of names and nothing else
	}
	e.readEdges()

	// Engines are advice. Some old packages have a list or a word that npm cannot read either; it
	// is ignored.
	var node string
	if readKeys(engines, key{"node", &node}) == nil && node != "" {
		if accepted, err := parseNodeRange(node); err == nil {
			e.node = accepted
		}
	}
	return nil
}

func (e *lockEntry) readEdges() {
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
