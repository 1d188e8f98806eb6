package npm

import (
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// tree is the tree of packages that a lock describes. npm decides by flags in the lock (dev,
// optional, inBundle, link) what it installs, and anybody can write these flags. So samforge
// decides by the edges between the packages what must be verified.
type tree struct {
	root     Package
	packages map[string]Package // by place, without the root
	places   []string           // of packages, in order

	wanted   map[string]bool // places that the root reaches, except over edges for development
	required map[string]bool // places that it reaches over required edges only
}

func newTree(entries map[string]lockEntry) *tree {
	t := &tree{root: entries[""].Package, packages: map[string]Package{}}
	for place, entry := range entries {
		if place == "" {
			continue
		}
		pkg := entry.Package
		pkg.Place = place
		t.packages[place] = pkg
	}
	t.places = slices.Sorted(maps.Keys(t.packages))
	t.wanted = t.reach(func(p Package) []string { return p.edges })
	t.required = t.reach(func(p Package) []string { return p.requires })
	return t
}

// reach returns the places that the root reaches over edges.
func (t *tree) reach(edges func(Package) []string) map[string]bool {
	found := map[string]bool{}
	next := []Package{t.root}
	for len(next) > 0 {
		from := next[0]
		next = next[1:]
		for _, name := range edges(from) {
			if to, ok := resolveModule(t.packages, from.Place, name); ok && !found[to.Place] {
				found[to.Place] = true
				next = append(next, to)
			}
		}
	}
	return found
}

// fetched returns the packages that npm may install, by place: all except those that only
// development needs.
func (t *tree) fetched() []Package {
	var packages []Package
	for _, place := range t.places {
		pkg := t.packages[place]
		if pkg.dev && !t.wanted[place] {
			continue
		}
		pkg.required = t.required[place]
		packages = append(packages, pkg)
	}
	return packages
}

// modulePlace matches the place of a package below node_modules.
var modulePlace = regexp.MustCompile(`(^|/)node_modules/(@[^/]+/)?[^/]+$`)

// isPlace reports whether npm would write place. Another spelling of a path would hide a package
// from the edges that lead to it.
func isPlace(place string) bool {
	return fs.ValidPath(place) && (!strings.Contains("/"+place+"/", "/"+modulesDir) || modulePlace.MatchString(place))
}

// check refuses places that npm does not write, links, and packages that others need although the
// lock marks them as needed for development only.
func (t *tree) check() error {
	for _, place := range t.places {
		pkg := t.packages[place]
		switch {
		case !isPlace(place):
			return fmt.Errorf("%q is not a path that npm writes into a lock", place)
		case pkg.dev && t.required[place]:
			return fmt.Errorf("%s is marked as needed for development only, but what is to be installed depends on it", place)
		case pkg.link && (t.wanted[place] || !pkg.dev):
			return fmt.Errorf("%s is a link to a folder, which is not part of the build", place)
		}
	}
	return nil
}

// bundled returns the places of bundled packages, which are in the archive of the package that
// bundles them. Like npm, it follows bundleDependencies, and then the dependencies of the bundled
// packages. https://github.com/npm/cli/blob/latest/workspaces/arborist/lib/node.js (getBundler)
func (t *tree) bundled() map[string]bool {
	bundled := map[string]bool{}
	for _, bundler := range t.packages {
		seen := map[string]bool{}
		for next := slices.Clip(bundler.bundles); len(next) > 0; next = next[1:] {
			place := bundler.Place + "/" + modulesDir + next[0]
			if _, ok := t.packages[place]; !ok || seen[place] {
				continue
			}
			seen[place] = true
			for _, inside := range t.below(place) {
				bundled[inside] = true
				for _, name := range t.packages[inside].edges {
					if to, ok := resolveModule(t.packages, inside, name); ok && to.Place == bundler.Place+"/"+modulesDir+name {
						next = append(next, name)
					}
				}
			}
		}
	}
	return bundled
}

// below returns a place and the places below it.
func (t *tree) below(place string) []string {
	places := []string{place}
	first, _ := slices.BinarySearch(t.places, place+"/")
	for _, other := range t.places[first:] {
		if !strings.HasPrefix(other, place+"/") {
			break
		}
		places = append(places, other)
	}
	return places
}

// resolveModule finds the package that a package at place gets when it requires name, as Node.js
// does: https://nodejs.org/api/modules.html#loading-from-node_modules-folders
func resolveModule(packages map[string]Package, place, name string) (Package, bool) {
	for {
		if pkg, ok := packages[strings.TrimPrefix(place+"/"+modulesDir+name, "/")]; ok {
			return pkg, true
		}
		if place == "" {
			return Package{}, false
		}
		place = strings.TrimSuffix(place[:max(strings.LastIndex(place, modulesDir), 0)], "/")
	}
}

// Installed returns the packages that npm installs on an architecture. It leaves out optional
// packages that do not run there, and packages that only those depend on.
func (l *Lock) Installed(arch string) []Package {
	packages := map[string]Package{} // by place
	for _, pkg := range l.packages {
		packages[pkg.Place] = pkg
	}
	wanted := map[string]bool{}
	var want func(pkg Package)
	want = func(pkg Package) {
		if wanted[pkg.Place] || pkg.mayBeMissing() && !pkg.native().RunsOn(arch) {
			return
		}
		wanted[pkg.Place] = true
		for _, name := range pkg.edges {
			if found, ok := resolveModule(packages, pkg.Place, name); ok {
				want(found)
			}
		}
	}
	for _, pkg := range l.packages {
		if !pkg.mayBeMissing() {
			want(pkg)
		}
	}
	for name := range l.root.OptionalDependencies {
		if pkg, ok := packages[modulesDir+name]; ok {
			want(pkg)
		}
	}
	return slices.DeleteFunc(slices.Clone(l.packages), func(pkg Package) bool { return !wanted[pkg.Place] })
}
