package scaffold

// What the files of other tools in a folder say about the images that it needs.

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/samforge/samforge/catalogue"
	"github.com/samforge/samforge/internal/userfile"
	"github.com/samforge/samforge/llbgen"
	"github.com/samforge/samforge/source"
)

// Found is what a folder says about images of one kind.
type Found struct {
	// Kind is the kind of the images, and File the file that says so.
	Kind, File string
	// Runtimes are the names of the runtimes in File, in its order.
	Runtimes []string
	// Framework is the framework, as far as it is exact, and FrameworkFile the file that says so.
	Framework     Framework
	FrameworkFile string
	// Notes are sentences about what cannot be taken from the files.
	Notes []string

	versions []saidVersion // of the framework, the one that counts most first
}

// saidVersion is a version or a range of versions, and where it is.
type saidVersion struct{ version, key, file string }

// Framework says which framework the images have, for kinds that have one.
type Framework struct {
	// Flavor is the npm package of the Serverless Framework; empty for the default.
	Flavor string
	// Version is an exact version; empty for the default.
	Version string
}

// Find returns what a folder says about images: one entry for each kind that it has files of. It
// reads those of the Serverless Framework and of the AWS CDK. It runs nothing.
func Find(folder string) (all []Found, err error) {
	known, err := catalogue.Load()
	if err != nil {
		return nil, err
	}
	packages := readPackages(folder)
	if found, ok := findServerless(folder, known); ok {
		found.addFramework(packages, "serverless", "osls")
		all = append(all, found)
	} else if packages.has("serverless", "osls") {
		found = Found{Kind: "serverless", File: packages.file}
		found.addFramework(packages, "serverless", "osls")
		all = append(all, found)
	}
	if _, err := os.Stat(filepath.Join(folder, "cdk.json")); err == nil {
		found := Found{Kind: "cdk", File: "cdk.json"}
		found.addFramework(packages, "aws-cdk")
		all = append(all, found)
	}
	return all, nil
}

// serverlessFiles are the names that the Serverless Framework looks for, in its order.
func serverlessFiles() []string {
	return []string{"serverless.yml", "serverless.yaml", "serverless.json", "serverless.js", "serverless.ts"}
}

// findServerless reads the configuration of the Serverless Framework, or returns false if there is
// none for AWS: https://www.serverless.com/framework/docs/providers/aws/guide/serverless.yml
func findServerless(folder string, known *catalogue.Catalogue) (Found, bool) {
	for _, name := range serverlessFiles() {
		data, err := userfile.Read(filepath.Join(folder, name), llbgen.MaxFileSize)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		found := Found{Kind: "serverless", File: name}
		switch ext := filepath.Ext(name); {
		case err != nil:
			found.note("it cannot be read: %v", err)
		case ext == ".js" || ext == ".ts":
			found.note("it is a program, which samforge does not run: name the runtimes with --runtime")
		default:
			return found, found.readServerless(data, known)
		}
		return found, true
	}
	return Found{}, false
}

func (f *Found) note(format string, args ...any) {
	f.Notes = append(f.Notes, f.File+": "+fmt.Sprintf(format, args...))
}

// readServerless reads a configuration in YAML or JSON. It returns false for one that is not for AWS.
// Tags, such as those of CloudFormation, do not matter here.
func (f *Found) readServerless(data []byte, known *catalogue.Catalogue) bool {
	doc := source.New(f.File, data, source.Syntax{MergeKeys: true})
	root, ok := doc.Root()
	if !ok {
		if err := doc.Err(); err != nil {
			f.Notes = append(f.Notes, strings.Split(err.Error(), "\n")[0])
		}
		return true
	}
	provider := entry(root, "provider")
	name := text(provider)
	if name == "" {
		name = text(entry(provider, "name"))
	}
	if name != "" && name != "aws" && !isVariable(name) {
		return false
	}
	f.addRuntime(entry(provider, "runtime"), known)
	for _, functions := range append(items(entry(root, "functions")), entry(root, "functions")) {
		for _, function := range values(functions) {
			f.addRuntime(entry(function, "runtime"), known)
		}
	}
	f.versions = append(f.versions, saidVersion{text(entry(root, "frameworkVersion")), "frameworkVersion", f.File})
	return true
}

// addRuntime adds a runtime that samforge knows. Anything else is noted.
func (f *Found) addRuntime(v source.Value, known *catalogue.Catalogue) {
	name := text(v)
	runtime, ok := known.Runtime(name)
	switch {
	case name == "" || slices.Contains(f.Runtimes, name):
	case ok && runtime.Images:
		f.Runtimes = append(f.Runtimes, name)
	case isVariable(name):
		f.note("%s is %s, a variable of the framework: name the runtime with --runtime", v.Path, name)
	default:
		f.note("%s is %q, for which there is no SAM build image: name another runtime with --runtime", v.Path, name)
	}
}

// isVariable reports whether a value contains a variable of the Serverless Framework.
func isVariable(value string) bool { return strings.Contains(value, "${") }

// exactVersion matches one version, and no range or tag of npm.
var exactVersion = regexp.MustCompile(`^=?(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)$`)

// chooseVersion sets the framework's version to the first one that is exact. It notes that there is
// none if the files have only ranges.
func (f *Found) chooseVersion() {
	f.versions = slices.DeleteFunc(f.versions, func(v saidVersion) bool { return v.version == "" })
	for _, said := range f.versions {
		if m := exactVersion.FindStringSubmatch(said.version); m != nil {
			f.Framework.Version, f.FrameworkFile = m[1], said.file
			return
		}
	}
	if len(f.versions) > 0 {
		first := f.versions[0]
		f.Notes = append(f.Notes, fmt.Sprintf("%s: %s is %s, which is no exact version: set %s.version in the build file, or keep the default", first.file, first.key, first.version, f.Kind))
	}
}

// packages are the npm packages that a package.json asks for, and the versions in the lock beside
// it.
type packages struct {
	file, lockFile string
	wanted, locked map[string]string
}

// maxNPMLock is far more than the lock of an application needs.
const maxNPMLock = 64 << 20

func readPackages(folder string) packages {
	p := packages{file: "package.json", lockFile: "package-lock.json", wanted: map[string]string{}, locked: map[string]string{}}
	var file struct{ Dependencies, DevDependencies map[string]string }
	var lock struct {
		Packages map[string]struct{ Version string }
	}
	// What is not a package.json says nothing about the images: npm reports what is wrong with it.
	if readJSON(filepath.Join(folder, p.file), llbgen.MaxFileSize, &file) != nil {
		return p
	}
	for _, of := range []map[string]string{file.DevDependencies, file.Dependencies} {
		for name, version := range of {
			p.wanted[name] = version
		}
	}
	if readJSON(filepath.Join(folder, p.lockFile), maxNPMLock, &lock) != nil {
		return p
	}
	for name := range p.wanted {
		p.locked[name] = lock.Packages["node_modules/"+name].Version
	}
	return p
}

func readJSON(name string, limit int64, out any) error {
	data, err := userfile.Read(name, limit)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, out)
}

func (p packages) has(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { _, ok := p.wanted[name]; return ok })
}

// addFramework adds the framework, which is the first package of the names that there is, and
// chooses its version.
func (f *Found) addFramework(p packages, names ...string) {
	defer f.chooseVersion()
	i := slices.IndexFunc(names, func(name string) bool { return p.has(name) })
	if i < 0 {
		return
	}
	name := names[i]
	f.versions = append(f.versions, saidVersion{p.wanted[name], name, p.file}, saidVersion{p.locked[name], name, p.lockFile})
	if name == "osls" {
		f.Framework.Flavor, f.FrameworkFile = name, p.file
	}
}

// entry returns the value of a key, or an empty value.
func entry(mapping source.Value, key string) source.Value {
	if mapping.Node != nil && mapping.Node.Kind == yaml.MappingNode {
		for k, v := range mapping.Entries() {
			if k.Node.Value == key {
				return v
			}
		}
	}
	return source.Value{}
}

// values returns the values of a mapping.
func values(mapping source.Value) (all []source.Value) {
	if mapping.Node != nil && mapping.Node.Kind == yaml.MappingNode {
		for _, v := range mapping.Entries() {
			all = append(all, v)
		}
	}
	return all
}

// items returns the values of a list.
func items(list source.Value) (all []source.Value) {
	if list.Node != nil && list.Node.Kind == yaml.SequenceNode {
		all = slices.Collect(list.Items())
	}
	return all
}

// text returns a string, or "" for anything else.
func text(v source.Value) string {
	if v.Node == nil || v.Node.Kind != yaml.ScalarNode || v.IsNull() {
		return ""
	}
	return v.Node.Value
}
