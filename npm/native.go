package npm

import (
	"slices"
	"strings"
)

// NativePackage is a locked package that does not run everywhere.
type NativePackage struct {
	Name, Version string

	// OS, CPU and Libc are lists of npm's names (linux, x64, glibc). A name after "!" is excluded;
	// an empty list allows all.
	OS, CPU, Libc []string

	// Optional is true if npm leaves the package out on a platform that it does not run on.
	Optional bool
	// Compiled is true if an install script compiles the package or downloads a binary, judging by
	// its dependencies.
	Compiled bool
}

// Native returns the packages that are made for certain platforms, in the order of the tree.
func (l *Lock) Native() []NativePackage {
	var native []NativePackage
	for _, pkg := range l.packages {
		n := pkg.native()
		if n.Compiled || len(n.OS)+len(n.CPU)+len(n.Libc) > 0 {
			native = append(native, n)
		}
	}
	return native
}

func (p Package) native() NativePackage {
	return NativePackage{
		Name: p.Name(), Version: p.Version,
		OS: p.os, CPU: p.cpu, Libc: p.libc,
		Optional: p.mayBeMissing(),
		Compiled: p.compiled(),
	}
}

// RunsOn reports whether the package may run in a SAM image, which is Linux with glibc, on an
// architecture: amd64, arm64. A compiled package runs on the platform it was compiled for, which a
// lock does not name.
func (n NativePackage) RunsOn(arch string) bool {
	return listAccepts(n.OS, "linux") && listAccepts(n.CPU, cpuName(arch)) && listAccepts(n.Libc, "glibc")
}

// Foreign returns the packages, as name@version, that do not run on an architecture and that npm
// cannot leave out.
func (l *Lock) Foreign(arch string) []string {
	var names []string
	for _, n := range l.Native() {
		if !n.Optional && !n.RunsOn(arch) {
			names = append(names, n.Name+"@"+n.Version)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// listAccepts reads os and cpu as npm-install-checks does.
func listAccepts(list []string, word string) bool {
	if len(list) == 1 && list[0] == "any" || slices.Contains(list, word) {
		return true
	}
	onlyExcludes := !slices.ContainsFunc(list, func(w string) bool { return !strings.HasPrefix(w, "!") })
	return onlyExcludes && !slices.Contains(list, "!"+word)
}

// compiled reports whether the package has an install script and depends on a tool that compiles or
// downloads binaries. A lock has no better sign of it.
func (p Package) compiled() bool {
	helpers := []string{
		"@mapbox/node-pre-gyp", "bindings", "cmake-js", "nan", "node-addon-api", "node-gyp",
		"node-gyp-build", "node-pre-gyp", "prebuild-install",
	}
	return p.hasInstallScript && slices.ContainsFunc(helpers, func(helper string) bool {
		_, ok := p.dependsOn[helper]
		return ok
	})
}

// cpuName returns what npm and Node.js call an architecture.
func cpuName(arch string) string {
	if arch == "amd64" {
		return "x64"
	}
	return arch
}
