// Package samconfig reads the configuration file of SAM CLI, samconfig.toml, in which a project
// keeps the flags of `sam build` and `sam package`.
//
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-sam-cli-config.html
package samconfig

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/samforge/samforge/internal/userfile"
)

// DefaultEnv is the environment that is read if none is named.
const DefaultEnv = "default"

// maxSize is the maximum size of a file in bytes.
const maxSize = 1 << 20

// filenames are the names of the file, in the order of SAM CLI.
func filenames() []string { return []string{"samconfig.toml", "samconfig.yaml", "samconfig.yml"} }

// Query says which file, and what in it, is read.
type Query struct {
	// Folder is the folder of the template.
	Folder string
	// File is the file, relative to Folder. If it is empty, the first that exists of samconfig.toml,
	// samconfig.yaml and samconfig.yml is read.
	File string
	// Env is the environment in the file. If it is empty, [DefaultEnv] is read if there is one.
	Env string
	// Commands are the commands whose parameters are read. Those of a later one win. Those that
	// are shared by all commands count least.
	Commands []string
}

// Parameters are what a file says. What it does not have is empty.
type Parameters struct {
	// TemplateFile, BaseDir and OutputTemplateFile are paths, relative to the current directory.
	TemplateFile, BaseDir, OutputTemplateFile string
	Region, Profile                           string
	ImageRepository                           string
	// EnvVars and Event are files of sam local invoke.
	EnvVars, Event string
	// ResolveImageRepos says to use a repository for each function, which belongs to the stack StackName.
	ResolveImageRepos bool
	StackName         string
	// UseJSON says to write the template as JSON.
	UseJSON bool
	// ImageRepositories are repositories of functions, as FUNCTION=REPOSITORY.
	ImageRepositories []string
	// Exclude are functions that are not built.
	Exclude []string
	// Overrides are values for the parameters of the template; nil if the file gives none.
	Overrides map[string]string
}

// Read returns the parameters of a file; none if there is no file, and none was named. Keys that
// mean nothing to samforge are passed over, since the file is SAM's.
func Read(ctx context.Context, q Query) (Parameters, error) {
	var p Parameters
	name, data, err := find(ctx, q)
	if err != nil || name == "" {
		return p, err
	}
	root, err := parse(name, data)
	if err != nil {
		return p, err
	}
	env := cmp.Or(q.Env, DefaultEnv)
	if _, ok := root.fields[env]; !ok && q.Env != "" {
		return p, fmt.Errorf("--config-env %s: %s has no such environment, it has: %s", q.Env, name, strings.Join(environments(root), ", "))
	}
	for _, command := range append([]string{"global"}, q.Commands...) {
		section := root
		for _, key := range []string{env, command, "parameters"} {
			if section = section.fields[key]; section.kind != "" && section.kind != kindTable {
				return p, section.errorf("%s is %s: expected a table, [%s.%s.parameters]", key, section.kind, env, command)
			}
		}
		if err := p.add(ctx, section); err != nil {
			return p, err
		}
	}
	return p, nil
}

// find returns the name and the content of the file, "" if there is none.
func find(ctx context.Context, q Query) (string, []byte, error) {
	names := filenames()
	if q.File != "" {
		names = []string{q.File}
	}
	for _, name := range names {
		if !filepath.IsAbs(name) {
			name = filepath.Join(q.Folder, name)
		}
		data, err := userfile.ReadAny(ctx, name, maxSize)
		switch {
		case err == nil:
			return name, data, nil
		case !errors.Is(err, fs.ErrNotExist):
			return "", nil, fmt.Errorf("read the configuration of SAM CLI: %w", err)
		case q.File != "":
			return "", nil, fmt.Errorf("--config-file %s: there is no %s: name it by its absolute path, or relative to the template", q.File, name)
		}
	}
	if q.Env != "" {
		return "", nil, fmt.Errorf("--config-env %s: there is no %s beside the template: name the file with --config-file", q.Env, names[0])
	}
	return "", nil, nil
}

// environments returns the names of the environments of a file. Beside them it has a version.
func environments(root value) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(root.fields)), func(name string) bool {
		return root.fields[name].kind != kindTable
	})
}

// add adds the parameters of one section.
func (p *Parameters) add(ctx context.Context, section value) error {
	texts := map[string]*string{
		"template": &p.TemplateFile, "template_file": &p.TemplateFile, "base_dir": &p.BaseDir, "region": &p.Region,
		"profile": &p.Profile, "image_repository": &p.ImageRepository, "output_template_file": &p.OutputTemplateFile,
		"stack_name": &p.StackName, "env_vars": &p.EnvVars, "event": &p.Event,
	}
	switches := map[string]*bool{"use_json": &p.UseJSON, "resolve_image_repos": &p.ResolveImageRepos}
	lists := map[string]*[]string{"exclude": &p.Exclude, "image_repositories": &p.ImageRepositories}
	for _, key := range slices.Sorted(maps.Keys(section.fields)) {
		v := section.fields[key]
		var err error
		if to := texts[key]; to != nil {
			*to, err = v.asText(key)
		} else if to := lists[key]; to != nil {
			*to, err = v.asTexts(key)
		} else if to := switches[key]; to != nil {
			if *to = v.text == "true"; v.kind != kindBool {
				err = v.errorf("%s is %s: expected true or false", key, v.kind)
			}
		} else if key == "parameter_overrides" {
			p.Overrides = map[string]string{}
			err = v.overrides(ctx, p.Overrides)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// asText returns the value of a key that is one text.
func (v value) asText(key string) (string, error) {
	if v.kind != kindText {
		return "", v.errorf("%s is %s: expected a text, in quotes", key, v.kind)
	}
	return v.text, nil
}

// asTexts returns the value of a key that is a list of texts, or only one.
func (v value) asTexts(key string) ([]string, error) {
	if v.kind == kindText {
		return []string{v.text}, nil
	}
	if v.kind != kindList {
		return nil, v.errorf("%s is %s: expected a list of texts", key, v.kind)
	}
	var texts []string
	for _, item := range v.items {
		text, err := item.asText("a value of " + key)
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	return texts, nil
}
