package build

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/containerd/console"
	bkclient "github.com/moby/buildkit/client"
	"github.com/moby/buildkit/session/filesync"
	"github.com/tonistiigi/go-csvvalue"

	"github.com/samforge/samforge/internal/project"
)

// output is a value of --output, as docker buildx reads it:
// https://docs.docker.com/reference/cli/docker/buildx/build/#output
type output struct {
	flag  string // the value as given
	kind  string
	dest  string
	attrs map[string]string
}

// outputTypes are the types of an output: https://docs.docker.com/build/exporters/
var outputTypes = []string{"image", "registry", bkclient.ExporterLocal, bkclient.ExporterTar, bkclient.ExporterOCI, bkclient.ExporterDocker}

// OutputTypes returns the types of --output.
func OutputTypes() []string { return slices.Clone(outputTypes) }

// parseOutput reads one value: a list of KEY=VALUE, the path of a folder, or "-" for a tar archive
// on standard output.
func parseOutput(value string) (output, error) {
	o := output{flag: value, attrs: map[string]string{}}
	switch {
	case value == "-":
		o.kind, o.dest = bkclient.ExporterTar, "-"
		return o, nil
	case !strings.Contains(value, "="):
		o.kind, o.dest = bkclient.ExporterLocal, value
		return o, nil
	}
	fields, err := csvvalue.Fields(value, nil)
	if err != nil {
		return o, fmt.Errorf("--output %s: %w", value, err)
	}
	for _, field := range fields {
		key, text, ok := strings.Cut(field, "=")
		if !ok {
			return o, fmt.Errorf("--output %s: expected KEY=VALUE, found %q", value, field)
		}
		switch key = strings.ToLower(strings.TrimSpace(key)); key {
		case "type":
			o.kind = text
		case "dest":
			o.dest = text
		case "output":
			return o, fmt.Errorf("--output %s: write dest=%s", value, text)
		default:
			o.attrs[key] = text
		}
	}
	if o.kind == "" {
		return o, fmt.Errorf("--output %s: name a type, such as type=oci", value)
	}
	if !slices.Contains(outputTypes, o.kind) {
		return o, fmt.Errorf("--output %s: there is no type %q: use one of %s", value, o.kind, strings.Join(outputTypes, ", "))
	}
	if o.kind == "registry" {
		o.kind, o.attrs["push"] = bkclient.ExporterImage, "true"
	}
	if names := o.attrs["name"]; o.kind == bkclient.ExporterImage && names != "" && names != "*" {
		for name := range strings.SplitSeq(names, ",") {
			if err := project.CheckReference(name); err != nil {
				return o, fmt.Errorf("--output %s: name=%w", value, err)
			}
		}
	}
	return o, nil
}

// pushed returns the references that an output pushes to: names if the output gives none, and nil if it
// pushes nothing.
func (o output) pushed(names []string) []string {
	push, err := strconv.ParseBool(o.attrs["push"])
	switch name := o.attrs["name"]; {
	case err != nil || !push:
		return nil
	case name == "" || name == "*":
		return names
	default:
		return strings.Split(name, ",")
	}
}

// pushing reports whether one of the outputs pushes.
func pushing(values []string) bool {
	return slices.ContainsFunc(values, func(value string) bool {
		o, err := parseOutput(value)
		return err == nil && o.pushed([]string{""}) != nil
	})
}

// destinations returns the references that an image has after a build: those that it was pushed to, or
// else its own.
func (opt Options) destinations(t project.Target) (refs []string) {
	if opt.Push && !t.NoPush {
		refs = slices.Clone(t.Refs)
	}
	for _, value := range slices.Concat(opt.Outputs, t.Outputs) {
		o, err := parseOutput(value)
		if err != nil {
			continue
		}
		for _, ref := range o.pushed(t.Refs) {
			if !slices.Contains(refs, ref) {
				refs = append(refs, ref)
			}
		}
	}
	if len(refs) == 0 {
		return t.Refs
	}
	return refs
}

// toFolder and toFile report whether the output writes a folder or a file on this machine.
func (o output) toFolder() bool {
	return o.kind == bkclient.ExporterLocal || o.archive() && !o.tar()
}

func (o output) toFile() bool {
	return o.kind == bkclient.ExporterTar || o.archive() && o.tar()
}

func (o output) archive() bool {
	return o.kind == bkclient.ExporterOCI || o.kind == bkclient.ExporterDocker
}

func (o output) tar() bool {
	tar, err := strconv.ParseBool(o.attrs["tar"])
	return err != nil || tar
}

// once reports whether one of the outputs is written to standard output. A file is written anew.
func once(values []string) bool {
	return slices.ContainsFunc(values, func(value string) bool {
		o, err := parseOutput(value)
		return err == nil && o.toFile() && (o.dest == "" || o.dest == "-")
	})
}

// of returns the output for one target of several. Each target gets its own folder in a folder; a
// file cannot hold several.
func (o output) of(target string) (output, error) {
	switch {
	case o.toFile():
		return o, fmt.Errorf("--output %s: several targets cannot share one file: choose one with --target, or use type=local", o.flag)
	case o.toFolder() && o.dest != "":
		o.dest = filepath.Join(o.dest, target)
	}
	return o, nil
}

// entry returns the output in the form of BuildKit's client.
func (o output) entry() (bkclient.ExportEntry, error) {
	e := bkclient.ExportEntry{Type: o.kind, Attrs: o.attrs}
	var err error
	switch {
	case o.toFolder() && o.dest == "":
		err = errors.New("name a folder with dest=DIR")
	case o.toFolder():
		e.OutputDir, err = o.dest, checkWritable(o.dest)
	case o.toFile():
		e.Output, err = fileOutput(o.dest)
	case o.dest != "":
		err = fmt.Errorf("type=%s writes no file: leave dest out", o.kind)
	}
	if err != nil {
		err = fmt.Errorf("--output %s: %w", o.flag, err)
	}
	return e, err
}

// fileOutput returns a function that writes an archive to standard output or to a file. It opens
// the file when there is something to write.
func fileOutput(dest string) (filesync.FileOutputFunc, error) {
	if dest == "" || dest == "-" {
		if _, err := console.ConsoleFromFile(os.Stdout); err == nil {
			return nil, errors.New("the archive is not written to a terminal: name a file with dest=FILE")
		}
		return func(map[string]string) (io.WriteCloser, error) { return os.Stdout, nil }, nil
	}
	if info, err := os.Stat(dest); err == nil && info.IsDir() {
		return nil, fmt.Errorf("%s is a folder: name a file with dest=FILE", dest)
	}
	if _, err := os.Stat(filepath.Dir(dest)); err != nil {
		return nil, err
	}
	if err := checkWritable(dest); err != nil {
		return nil, err
	}
	return func(map[string]string) (io.WriteCloser, error) { return os.Create(dest) }, nil
}

// Written returns the files and the folders that values of --output are written to. Values that are none
// are passed over.
func Written(values []string) (paths []string) {
	for _, value := range values {
		if o, err := parseOutput(value); err == nil && o.dest != "" && o.dest != "-" {
			paths = append(paths, o.dest)
		}
	}
	return paths
}
