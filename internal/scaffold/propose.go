package scaffold

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/samforge/samforge/catalogue"
	"github.com/samforge/samforge/npm"
)

// adopt takes what flags do not say from the folder, and says what it took from which file. With
// several kinds in the folder and no --kind, it takes nothing and returns an [*InputError].
func (opt *Options) adopt() error {
	if opt.Kind == "" && len(opt.Found) > 0 {
		if several := opt.several(); several != "" {
			return &InputError{fmt.Errorf("%s: choose one with --kind", several)}
		}
	}
	found, ok := opt.foundFor(opt.Kind)
	if !ok {
		return nil
	}
	said := opt.said(found)
	opt.Kind, opt.Framework = found.Kind, found.Framework
	if len(opt.Runtimes) == 0 {
		opt.Runtimes = slices.Clone(found.Runtimes)
	}
	said.write(opt.Stderr)
	return nil
}

// several names the files of several kinds and what each is for, or returns "" for files of one kind.
func (opt *Options) several() string {
	var candidates []string
	for _, found := range opt.Found {
		candidates = append(candidates, fmt.Sprintf("%s (--kind %s)", found.File, found.Kind))
	}
	if opt.Template != "" {
		candidates = append(candidates, opt.Template+" (a SAM template, and a build file as it is: samforge build -f "+opt.Template+")")
	}
	if len(candidates) < 2 {
		return ""
	}
	return "this folder has files of several kinds: " + strings.Join(candidates, ", ")
}

// foundFor returns what the folder says about a kind, or about its only kind.
func (opt *Options) foundFor(kind string) (Found, bool) {
	i := slices.IndexFunc(opt.Found, func(f Found) bool { return kind == "" || f.Kind == kind })
	if i < 0 {
		return Found{}, false
	}
	return opt.Found[i], true
}

// sentences say what comes from which file.
type sentences struct {
	files []string
	of    map[string][]string // by file
	notes []string
}

func (s *sentences) add(file, what string) {
	if !slices.Contains(s.files, file) {
		s.files = append(s.files, file)
	}
	s.of[file] = append(s.of[file], what)
}

func (s *sentences) write(w io.Writer) {
	for _, file := range s.files {
		fmt.Fprintf(w, "From %s: %s.\n", file, strings.Join(s.of[file], ", "))
	}
	for _, note := range s.notes {
		fmt.Fprintln(w, note+".")
	}
}

// said says what is taken from the files, which is what no flag says.
func (a Answers) said(found Found) *sentences {
	s := &sentences{of: map[string][]string{}, notes: found.Notes}
	if a.Kind == "" {
		s.add(found.File, "--kind "+found.Kind)
	}
	if len(a.Runtimes) == 0 {
		for _, runtime := range found.Runtimes {
			s.add(found.File, "--runtime "+runtime)
		}
	}
	name := found.npmPackage()
	switch {
	case found.Framework.Version != "":
		s.add(found.FrameworkFile, name+" "+found.Framework.Version)
	case found.Framework.Flavor != "":
		s.add(found.FrameworkFile, name)
	}
	if versions := npm.EmbeddedVersions(name); found.withoutLock() && len(versions) > 0 {
		s.notes = append(s.notes, fmt.Sprintf("samforge has no npm lock for %s %s: name yours in %s.lock, or take one of %s",
			name, found.Framework.Version, found.Kind, strings.Join(versions, ", ")))
	}
	return s
}

// npmPackage returns the npm package of the framework.
func (f Found) npmPackage() string {
	switch {
	case f.Kind == "cdk":
		return "aws-cdk"
	case f.Framework.Flavor != "":
		return f.Framework.Flavor
	}
	return "serverless"
}

// withoutLock reports whether the framework is a version of an npm package for which samforge has no
// lock. Serverless Framework 4 is none.
func (f Found) withoutLock() bool {
	name, version := f.npmPackage(), f.Framework.Version
	if version == "" || name == "serverless" && strings.HasPrefix(version, "4.") {
		return false
	}
	_, has := npm.Embedded(name, version)
	return !has
}

// unfinished returns an [*InputError] for answers that are missing, with the flags that give what
// samforge would propose on a terminal. It asks no registry. Node images may be missing: see
// [Options.fillNodes].
func (a Answers) unfinished() error {
	given := a
	given.Nodes = []string{catalogueNode}
	if len(given.missing()) == 0 {
		return nil
	}
	text := given.incomplete().Error()
	given.Nodes, given.Runtimes = a.Nodes, slices.DeleteFunc(slices.Clone(a.Runtimes), isName)
	if err := given.wrong(); err != nil {
		text += "\n" + err.Error()
	}
	if proposed := a.proposedPlugin(); proposed != "" {
		text += "\nfor example: " + proposed
	}
	return &InputError{errors.New(text)}
}

// catalogueNode stands for a node image that is still to be found.
const catalogueNode = "node"

// proposedPlugin returns flags for a missing plugin, or "" if there is none to propose.
func (a Answers) proposedPlugin() string {
	plugin, ok := plugins()[a.Kind]
	if !ok {
		return ""
	}
	var flags []string
	if a.Plugin == "" {
		flags = append(flags, "--plugin "+plugin.image)
	}
	if a.PluginVersion == "" && (a.Plugin == "" || a.Plugin == plugin.image) {
		flags = append(flags, "--plugin-version "+plugin.version)
	}
	return strings.Join(flags, " ")
}

// fillNodes takes the node image of each base image from the catalogue, if no flag names one, and that
// of a runtime that a flag names. It says so. Unknown runtimes have none: then it takes nothing.
func (opt *Options) fillNodes() error {
	known, err := catalogue.Load()
	if err != nil {
		return err
	}
	for i, name := range opt.Nodes {
		if node, ok := known.Node(name); ok {
			opt.Nodes[i] = node.Image
			fmt.Fprintf(opt.Stderr, "From the catalogue: --node %s.\n", node.Image)
		}
	}
	if len(opt.Nodes) > 0 || !opt.needsNode() {
		return nil
	}
	var nodes, flags []string
	for _, image := range opt.Runtimes {
		node := known.NodeImage(image)
		if node == "" {
			return nil
		}
		nodes, flags = append(nodes, node), append(flags, "--node "+node)
	}
	opt.Nodes = nodes
	if len(flags) > 0 {
		fmt.Fprintf(opt.Stderr, "From the catalogue: %s.\n", strings.Join(flags, ", "))
	}
	return nil
}
