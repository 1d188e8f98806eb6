package project

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/distribution/reference"
	"github.com/moby/buildkit/frontend/dockerui"

	"github.com/samforge/samforge/frontend"
	"github.com/samforge/samforge/internal/credentials"
)

// Context is the build context: a folder, or an address that the builder fetches. Exactly one of
// the two is set.
type Context struct{ Folder, Address string }

// readContext returns the build context. If a value could be both, a folder wins over an address,
// as in docker.
func readContext(opt Options) (Context, error) {
	switch {
	case opt.Context == "" && (opt.File == "" || opt.File == "-"):
		return Context{Folder: "."}, nil
	case opt.Context == "":
		return Context{Folder: filepath.Dir(opt.File)}, nil
	}
	info, err := os.Stat(opt.Context)
	if err == nil && info.IsDir() {
		return Context{Folder: opt.Context}, nil
	}
	if err == nil {
		return Context{}, fmt.Errorf("the context %s is a file: name a folder, and the build file with --file", opt.Context)
	}
	if credentials.In(opt.Context) {
		return Context{}, frontend.ErrCredentials(opt.Context)
	}
	if !IsAddress(opt.Context) {
		hint := ""
		switch {
		case opt.Context == "-":
			hint = "; a build file on standard input is --file -"
		case opt.TargetFlag != "" && !strings.Contains(opt.Context, "/"):
			hint = "; a target is " + opt.TargetFlag + " " + opt.Context
		}
		return Context{}, fmt.Errorf("the context %s is no folder, and no address of a git repository or an archive%s", opt.Context, hint)
	}
	if opt.File == "" {
		return Context{}, fmt.Errorf("the context %s is not on this machine, where the build file is read: name one with --file, - for standard input", opt.Context)
	}
	return Context{Address: opt.Context}, nil
}

// IsAddress reports whether a build context is the address of a git repository or of an archive.
func IsAddress(context string) bool {
	_, isGit, _ := dockerui.DetectGitContext(context, nil)
	_, _, isHTTP := dockerui.DetectHTTPContext(context)
	return isGit || isHTTP
}

// Attrs returns the frontend's attributes for a context that is not a folder: its address, and that
// it does not contain the build file.
func (c Context) Attrs() map[string]string {
	if c.Address == "" {
		return map[string]string{}
	}
	return map[string]string{
		dockerui.DefaultLocalNameContext: c.Address,
		"dockerfilekey":                  dockerui.DefaultLocalNameDockerfile,
	}
}

// NamedContext is a build context with a name. If the name is an image's, the context replaces that
// image.
type NamedContext struct {
	// Name is the familiar form of an image reference, without ":latest".
	Name string
	// Source is a folder, or an address with "://" in it.
	Source string
}

// The schemes of a source that is an image, and of one that is an OCI layout on this machine.
const (
	ImageScheme  = "docker-image://"
	LayoutScheme = "oci-layout://"
)

// Folder reports whether the source is a folder of this machine.
func (c NamedContext) Folder() bool {
	return !strings.Contains(c.Source, "://") && !strings.HasPrefix(c.Source, "git@")
}

// namedContexts reads --build-context NAME=SOURCE as buildx does.
func namedContexts(values []string) ([]NamedContext, error) {
	var contexts []NamedContext
	for _, value := range values {
		c, err := namedContext(value)
		if err != nil {
			return nil, fmt.Errorf("--build-context %q: %w", credentials.Mask(value), err)
		}
		contexts = append(contexts, c)
	}
	return contexts, nil
}

func namedContext(value string) (NamedContext, error) {
	name, source, _ := strings.Cut(value, "=")
	if name == "" || source == "" {
		return NamedContext{}, errors.New("expected NAME=SOURCE")
	}
	if credentials.In(source) {
		return NamedContext{}, frontend.ErrCredentials(source)
	}
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return NamedContext{}, fmt.Errorf("%q is not a name of a context or an image: %w", credentials.Mask(name), err)
	}
	if image, ok := strings.CutPrefix(source, ImageScheme); ok {
		if err := CheckReference(image); err != nil {
			return NamedContext{}, err
		}
	}
	c := NamedContext{Name: strings.TrimSuffix(reference.FamiliarString(named), ":latest"), Source: source}
	if !c.Folder() {
		return c, nil
	}
	info, err := os.Stat(source)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is not a folder", source)
	}
	return c, err
}
