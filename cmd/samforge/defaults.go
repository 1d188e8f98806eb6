package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v4"

	"github.com/samforge/samforge/internal/userfile"
	"github.com/samforge/samforge/llbgen"
	"github.com/samforge/samforge/source"
)

// defaultsName is the name of the file with the defaults of a repository. A user's is defaults.yaml in
// samforge's folder of the user's configuration. It is a file, and not a set of variables, because a
// file can be reviewed, and a misspelt key is found.
const defaultsName = "samforge.defaults.yaml"

// misnamedDefaults is a name that somebody may give to that file, and that is refused.
const misnamedDefaults = "samforge.defaults.yml"

// defaultValues are the flags that have defaults. A flag that the command does not have is passed over.
type defaultValues struct {
	Platform   []string `yaml:"platform"`
	Progress   string   `yaml:"progress"`
	Summary    string   `yaml:"summary"`
	Annotation []string `yaml:"annotation"`
	Label      []string `yaml:"label"`
	Provenance string   `yaml:"provenance"`
	SBOM       string   `yaml:"sbom"`
	Mirror     []string `yaml:"mirror"`
	Region     string   `yaml:"region"`
	FailOn     string   `yaml:"fail-on"`
	Repository string   `yaml:"image-repository"`

	// A repository that was cloned must not choose these, because its author may be a stranger: a builder
	// is lent credentials, and a cache says what a step's result is, or gets it.
	Builder   []string `yaml:"builder"`
	TLSDir    string   `yaml:"tlsdir"`
	Profile   string   `yaml:"profile"`
	CacheFrom []string `yaml:"cache-from"`
	CacheTo   []string `yaml:"cache-to"`
}

// ofUser are the keys that only a user's own file may have.
func ofUser() []string { return []string{"builder", "tlsdir", "profile", "cache-from", "cache-to"} }

// flags returns the values by the names of their flags.
func (d defaultValues) flags() map[string][]string {
	one := func(value string) []string {
		if value == "" {
			return nil
		}
		return []string{value}
	}
	return map[string][]string{
		"platform": d.Platform, "progress": one(d.Progress), "summary": one(d.Summary), "cache-from": d.CacheFrom, "cache-to": d.CacheTo,
		"annotation": d.Annotation, "label": d.Label, "provenance": one(d.Provenance), "sbom": one(d.SBOM), "mirror": d.Mirror,
		"region": one(d.Region), "fail-on": one(d.FailOn), "image-repository": one(d.Repository),
		"builder": d.Builder, "tlsdir": one(d.TLSDir), "profile": one(d.Profile),
	}
}

// environmentOf are the variables that win over a default, by flag.
func environmentOf() map[string]string {
	return map[string]string{"builder": "BUILDKIT_HOST", "progress": "BUILDKIT_PROGRESS", "profile": "AWS_PROFILE", "region": "AWS_REGION"}
}

// applyDefaults sets the flags that nothing else gives: those of the repository's file, then those of the
// user's. folder is that of the build file. Mistakes are a [*usageError].
func (f *buildFlags) applyDefaults(c *cobra.Command, folder string) error {
	if f.input.File != "" && f.input.File != "-" {
		folder = filepath.Dir(f.input.File)
	}
	var taken []string
	for _, file := range defaultsFiles(folder) {
		values, err := readDefaults(file.path, file.user)
		if err != nil {
			return &usageError{err}
		}
		set, err := f.setDefaults(c, folder, values.flags())
		if err != nil {
			return &usageError{fmt.Errorf("%s: %w", file.path, err)}
		}
		if len(set) > 0 {
			taken = append(taken, "samforge: taken from "+file.path+": "+strings.Join(set, " "))
		}
	}
	if !f.quiet && !f.said {
		f.said = true // --watch reads the files again and again
		for _, sentence := range taken {
			fmt.Fprintln(c.ErrOrStderr(), sentence)
		}
	}
	return nil
}

// setDefaults sets flags, and returns which.
func (f *buildFlags) setDefaults(c *cobra.Command, folder string, values map[string][]string) (set []string, err error) {
	template, err := f.readsTemplate(folder)
	if err != nil {
		return nil, err
	}
	for name, texts := range values {
		flag := c.Flags().Lookup(name)
		switch {
		case len(texts) == 0 || flag == nil || flag.Changed || os.Getenv(environmentOf()[name]) != "":
			continue
		case template && slices.Contains(recipeFlags(), name):
			continue // a template has no use for it
		case !template && (name == "region" || name == "image-repository"):
			continue
		}
		for _, text := range texts {
			if err := c.Flags().Set(name, text); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
		set = append(set, name)
	}
	slices.Sort(set)
	return set, nil
}

// defaultsFile is a file with defaults that exists.
type defaultsFile struct {
	path string
	user bool // the user's own
}

// defaultsFiles returns the files with defaults. The one of a repository is in folder, or in one above it
// up to the root of the repository.
func defaultsFiles(folder string) (found []defaultsFile) {
	if at, err := filepath.Abs(folder); err == nil {
		if path := repositoryDefaults(at); path != "" {
			found = append(found, defaultsFile{path, false})
		}
	}
	if own, err := os.UserConfigDir(); err == nil {
		path := filepath.Join(own, "samforge", "defaults.yaml")
		if _, err := os.Lstat(path); err == nil {
			found = append(found, defaultsFile{path, true})
		}
	}
	return found
}

func repositoryDefaults(folder string) string {
	exists := func(name string) bool {
		_, err := os.Lstat(filepath.Join(folder, name))
		return err == nil
	}
	first := folder
	for !exists(defaultsName) && !exists(misnamedDefaults) && !exists(".git") && filepath.Dir(folder) != folder {
		folder = filepath.Dir(folder)
	}
	if !exists(".git") && folder != first && !insideRepository(folder) {
		return "" // what is above a folder that is no repository belongs to others
	}
	if !exists(defaultsName) {
		if exists(misnamedDefaults) {
			return filepath.Join(folder, misnamedDefaults)
		}
		return ""
	}
	return filepath.Join(folder, defaultsName)
}

// insideRepository reports whether folder is in a checked-out repository.
func insideRepository(folder string) bool {
	for ; filepath.Dir(folder) != folder; folder = filepath.Dir(folder) {
		if _, err := os.Lstat(filepath.Join(folder, ".git")); err == nil {
			return true
		}
	}
	return false
}

// readDefaults reads a file with defaults. Mistakes name their places.
func readDefaults(path string, user bool) (values defaultValues, err error) {
	if filepath.Base(path) == misnamedDefaults {
		return values, fmt.Errorf("%s: samforge reads %s only: rename the file", path, defaultsName)
	}
	data, err := userfile.Read(path, llbgen.MaxFileSize)
	if _, missing := os.Lstat(path); errors.Is(err, fs.ErrNotExist) && errors.Is(missing, fs.ErrNotExist) {
		return values, nil // it was removed meanwhile
	}
	if err != nil {
		return values, err
	}
	if err := checkDefaults(source.New(path, data, source.Syntax{}), user); err != nil {
		return values, err
	}
	doc := source.New(path, data, source.Syntax{})
	doc.Decode(&values)
	return values, doc.Err()
}

// checkDefaults refuses keys that the file must not have, and values that the flag would refuse
// without their place in the file.
func checkDefaults(doc *source.Document, user bool) error {
	root, ok := doc.Root()
	if !ok || root.Node.Kind != yaml.MappingNode {
		return nil // the decoder says what is wrong
	}
	known := defaultKeys(user)
	for key, value := range root.Entries() {
		switch name := key.Node.Value; {
		case !user && slices.Contains(ofUser(), name):
			value.Errorf("a repository must not choose this, because its author may be a stranger: put it into samforge/defaults.yaml in your own configuration")
		case !slices.Contains(known, name):
			root.UnknownKey(key, known)
		case value.Node.Tag == "!!null":
			value.Errorf("it has no value: give one, or leave the key out")
		case value.Node.Kind == yaml.ScalarNode && slices.Contains(listDefaults(), name):
			value.Errorf("expected a list, found %q: write [%s]", value.Node.Value, value.Node.Value)
		case value.Node.Kind == yaml.ScalarNode:
			checkDefault(name, value)
		case value.Node.Kind == yaml.SequenceNode && slices.Contains(listDefaults(), name):
			for item := range value.Items() {
				checkDefault(name, item)
			}
		}
	}
	return doc.Err()
}

func checkDefault(name string, value source.Value) {
	if problem := flagProblem(name, value.Node.Value); problem != "" && value.Node.Kind == yaml.ScalarNode {
		value.Errorf("%s", problem)
	}
}

// listDefaults are the keys whose values are lists.
func listDefaults() []string {
	return []string{"annotation", "builder", "cache-from", "cache-to", "label", "mirror", "platform"}
}

// defaultKeys returns the keys that a file with defaults may have.
func defaultKeys(user bool) (names []string) {
	for name := range (defaultValues{}).flags() {
		if user || !slices.Contains(ofUser(), name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
