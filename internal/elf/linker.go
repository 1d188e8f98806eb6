package elf

import (
	"cmp"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/samforge/samforge/internal/userfile"
)

// Linker looks up shared libraries in a root file system as the dynamic linker does: see ld.so(8),
// and for symbol versions
// https://refspecs.linuxfoundation.org/LSB_5.0.0/LSB-Core-generic/LSB-Core-generic/symversion.html
type Linker struct {
	// Root is the root file system.
	Root fs.FS
	// Arch is the architecture of the program, by its OCI name.
	Arch string
	// Path are the directories of LD_LIBRARY_PATH.
	Path []string

	system  []string          // directories
	visited map[string]bool   // files that were read
	tooOld  map[string]demand // for each library, the newest version that a file needs of it
	absent  []string          // sentences
}

// demand is a symbol version that a library lacks: the file that needs it, the version, and what
// the library has.
type demand struct{ by, version, has string }

// ConfigError is a problem with the configuration of the dynamic linker, whatever the program.
type ConfigError struct{ Err error }

func (e *ConfigError) Error() string { return e.Err.Error() }
func (e *ConfigError) Unwrap() error { return e.Err }

// Missing returns what a program and its libraries need and the root file system lacks, one
// sentence each. A static program needs nothing. It returns an error if a file cannot be read, a
// [*ConfigError] for a configuration file.
func (l *Linker) Missing(program string) ([]string, error) {
	l.visited, l.tooOld = map[string]bool{}, map[string]demand{}
	configured, err := l.configured(linkerConfig)
	if err != nil {
		return nil, &ConfigError{err}
	}
	l.system = unique(append(configured, "/lib64", "/usr/lib64", "/lib", "/usr/lib"))
	if n := len(l.system); n > maxDirectories {
		return nil, &ConfigError{fmt.Errorf("the image's /etc/ld.so.conf names %d directories, and at most %d are searched", n, maxDirectories)}
	}
	if err := l.check(program, nil); err != nil {
		return nil, err
	}
	problems := l.absent
	for _, library := range slices.Sorted(maps.Keys(l.tooOld)) {
		d := l.tooOld[library]
		problems = append(problems, fmt.Sprintf("%s needs %s of %s, and the image's %s", d.by, d.version, library, d.has))
	}
	return problems, nil
}

// linkerConfig is the configuration of the dynamic linker.
const linkerConfig = "etc/ld.so.conf"

// maxLinkerConfig is the maximum size of a configuration file of the dynamic linker, far more than
// a real one has.
const maxLinkerConfig = 1 << 20

// maxDirectories is the maximum number of directories that are searched, far more than a real
// configuration has. Each is a request to the builder for every library that is not found before.
const maxDirectories = 100

// configured returns the directories in /etc/ld.so.conf and in the files that it includes. Each
// file is read once; a missing file counts as empty.
func (l *Linker) configured(name string) (dirs []string, err error) {
	if l.visited[name] {
		return nil, nil
	}
	l.visited[name] = true
	if info, err := fs.Stat(l.Root, name); err == nil && !info.Mode().IsRegular() && name != linkerConfig {
		return nil, nil // ldconfig skips it too
	}
	data, err := userfile.ReadFS(l.Root, name, maxLinkerConfig)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(data)) {
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimSpace(line)
		pattern, ok := strings.CutPrefix(line, "include ")
		if !ok {
			if line != "" {
				dirs = append(dirs, line)
			}
			continue
		}
		if pattern = strings.TrimSpace(pattern); !path.IsAbs(pattern) {
			pattern = path.Join("/etc", pattern)
		}
		files, _ := fs.Glob(l.Root, inRoot(pattern)) // a bad pattern includes nothing
		for _, file := range files {
			more, err := l.configured(file)
			if err != nil {
				return nil, err
			}
			dirs = append(dirs, more...)
		}
	}
	return dirs, nil
}

// check checks one file, and then the libraries that it needs. inherited is the DT_RPATH of the
// files that need it.
func (l *Linker) check(name string, inherited []string) error {
	l.visited[name] = true
	file, err := l.open(name)
	if err != nil {
		return err
	}
	libraries, err := file.ImportedLibraries()
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	var needs []elf.DynamicVersionNeed
	if hasVersions(file) {
		if needs, err = file.DynamicVersionNeeds(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	before, after := searchPaths(file, path.Dir(name))
	before = unique(append(before, inherited...))
	dirs := unique(slices.Concat(before, l.Path, after, l.system))
	if n := len(dirs); n > maxDirectories {
		return fmt.Errorf("%s searches %d directories for its libraries, and at most %d are searched", name, n, maxDirectories)
	}
	var absent []string
	for _, library := range libraries {
		found, where := l.find(library, dirs)
		if found == nil {
			absent = append(absent, library)
			continue
		}
		if err := l.compare(name, library, found, needs); err != nil {
			return fmt.Errorf("%s: %w", where, err)
		}
		if !l.visited[where] {
			if err := l.check(where, before); err != nil {
				return err
			}
		}
	}
	if len(absent) > 0 {
		l.absent = append(l.absent, fmt.Sprintf("%s needs %s, which the image does not have", name, strings.Join(absent, ", ")))
	}
	return nil
}

// unique returns directories without repetitions, in order.
func unique(dirs []string) []string {
	seen := map[string]bool{}
	return slices.DeleteFunc(dirs, func(dir string) bool {
		dir = path.Clean(dir)
		repeated := seen[dir]
		seen[dir] = true
		return repeated
	})
}

// searchPaths returns a file's own directories before and after those of LD_LIBRARY_PATH. DT_RPATH
// is searched before, DT_RUNPATH after. With the second, the first does not count.
func searchPaths(file *elf.File, origin string) (before, after []string) {
	dirs := func(tag elf.DynTag) (dirs []string) {
		values, _ := file.DynString(tag) // none without a dynamic section
		for _, value := range values {
			value = strings.NewReplacer("$ORIGIN", origin, "${ORIGIN}", origin).Replace(value)
			dirs = append(dirs, strings.Split(value, ":")...)
		}
		return dirs
	}
	if after = dirs(elf.DT_RUNPATH); len(after) > 0 {
		return nil, after
	}
	return dirs(elf.DT_RPATH), nil
}

// find returns the first library of that name for the machine, and its path.
func (l *Linker) find(library string, dirs []string) (*elf.File, string) {
	if strings.Contains(library, "/") {
		dirs = []string{""} // a path is not searched for
	}
	for _, dir := range dirs {
		where := path.Join("/", dir, library)
		if file, err := l.open(where); err == nil && file.Machine == machine(l.Arch) {
			return file, where
		}
	}
	return nil, ""
}

// open reads the header of an ELF file.
func (l *Linker) open(name string) (*elf.File, error) {
	file, err := l.Root.Open(inRoot(name))
	if err != nil {
		return nil, err
	}
	content, ok := file.(io.ReaderAt)
	if !ok {
		return nil, fmt.Errorf("%s: not a regular file", name)
	}
	parsed, err := elf.NewFile(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return parsed, nil
}

// inRoot returns an absolute path in the form of package fs.
func inRoot(name string) string { return strings.TrimPrefix(path.Clean(name), "/") }

func hasVersions(file *elf.File) bool { return file.SectionByType(elf.SHT_GNU_VERSYM) != nil }

// compare records the newest symbol version that a file needs and the library does not define.
func (l *Linker) compare(by, name string, library *elf.File, needs []elf.DynamicVersionNeed) error {
	if !hasVersions(library) {
		return nil // the dynamic linker accepts any symbol then
	}
	defined, err := library.DynamicVersions()
	if err != nil {
		return err
	}
	var versions []string
	for _, version := range defined {
		versions = append(versions, version.Name)
	}
	for _, need := range needs {
		for _, version := range need.Needs {
			weak := version.Flags&elf.VER_FLG_WEAK != 0
			if need.Name == name && !weak && !slices.Contains(versions, version.Dep) &&
				compareSymbolVersions(version.Dep, l.tooOld[name].version) > 0 {
				l.tooOld[name] = demand{by, version.Dep, newest(versions, version.Dep)}
			}
		}
	}
	return nil
}

// newest returns a library's newest version with the same prefix as like.
func newest(versions []string, like string) string {
	name, _, _ := strings.Cut(like, "_")
	last := ""
	for _, v := range versions {
		if number, ok := strings.CutPrefix(v, name+"_"); ok && number != "PRIVATE" && compareSymbolVersions(v, last) > 0 {
			last = v
		}
	}
	if last == "" {
		return "has none such"
	}
	return "ends at " + last
}

// compareSymbolVersions compares "GLIBC_2.9" and "GLIBC_2.28" by their numbers.
func compareSymbolVersions(a, b string) int {
	nameA, numbersA, _ := strings.Cut(a, "_")
	nameB, numbersB, _ := strings.Cut(b, "_")
	return cmp.Or(cmp.Compare(nameA, nameB), slices.CompareFunc(strings.Split(numbersA, "."), strings.Split(numbersB, "."),
		func(x, y string) int {
			m, errM := strconv.Atoi(x)
			n, errN := strconv.Atoi(y)
			if errM != nil || errN != nil {
				return cmp.Compare(x, y)
			}
			return cmp.Compare(m, n)
		}))
}
