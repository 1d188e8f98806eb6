package scaffold

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/samforge/samforge/catalogue"
)

// Application is the kind of what is no samforge.yaml, but a SAM template with a function.
const Application = "application"

// TemplateName is the name of the template.
const TemplateName = "template.yaml"

// functionFolder is the folder of the function, beside the template.
const functionFolder = "hello"

// applicationFiles are the template, and for each language the files of a function. A file is called
// as here without .tmpl; dockerignore gets its dot.
//
//go:embed application
var applicationFiles embed.FS

// languages are the folders of applicationFiles by the languages of the catalogue.
func languages() map[string]string {
	return map[string]string{"nodejs": "nodejs", "python": "python", "provided": "go"}
}

// runtime is a runtime that a function can be written for.
type runtime struct {
	name     string // nodejs24.x
	language string // the folder in applicationFiles
	image    string // Lambda's base image
}

// runtimes returns the runtimes that AWS maintains today, for the languages that there are files
// for. Those of one language are together, the newest first.
func runtimes() ([]runtime, error) {
	known, err := catalogue.Load()
	if err != nil {
		return nil, err
	}
	var found []runtime
	for _, r := range known.Runtimes() {
		language, ok := languages()[r.Language]
		if ok && r.StatusOn(time.Now()) == catalogue.StatusCurrent && r.OS == "al2023" {
			found = append(found, runtime{r.Name, language, "public.ecr.aws/lambda/" + r.Language + ":" + r.Version})
		}
	}
	return found, nil
}

// runtime returns the one runtime of the answers.
func (a Answers) runtime() (runtime, error) {
	known, err := runtimes()
	if err != nil || len(a.Runtimes) == 0 {
		return runtime{}, errors.Join(err, &InputError{errors.New("missing: --runtime")})
	}
	if len(a.Runtimes) > 1 {
		return runtime{}, &InputError{errors.New("--runtime: an application begins with one function: give one runtime")}
	}
	i := slices.IndexFunc(known, func(r runtime) bool { return r.name == a.Runtimes[0] })
	if i < 0 {
		var names []string
		for _, r := range known {
			names = append(names, r.name)
		}
		return runtime{}, &InputError{fmt.Errorf("--runtime %s: a function can be written for %s (Go)", a.Runtimes[0], strings.Join(names, ", "))}
	}
	return known[i], nil
}

// wrongForApplication returns an error for a flag that an application has no use for.
func (a Answers) wrongForApplication() error {
	for flag, given := range map[string]bool{"--plugin": a.Plugin != "", "--plugin-version": a.PluginVersion != "", "--node": len(a.Nodes) > 0} {
		if given {
			return &InputError{fmt.Errorf("%s is not for an application: leave it out", flag)}
		}
	}
	return nil
}

// completeApplication asks for the runtime.
func (p prompt) completeApplication(ctx context.Context, a *Answers) error {
	if err := a.wrongForApplication(); err != nil || len(a.Runtimes) > 0 {
		return err
	}
	known, err := runtimes()
	if err != nil {
		return err
	}
	newest := known[0].name
	a.Runtimes = []string{""}
	return p.ask(ctx, a, question{text: "Runtime of the function (Enter for " + newest + ")", field: runtimeField, enter: &newest}, &a.Runtimes[0])
}

// runtimeField is the field of the question for the runtime.
const runtimeField = "runtime"

// initApplication writes a template and a function. If one of the files is there, it writes none.
func initApplication(opt Options) error {
	if err := opt.wrongForApplication(); err != nil {
		return err
	}
	r, err := opt.runtime()
	if err != nil {
		return err
	}
	if opt.Path == "-" {
		return &InputError{errors.New("an application is several files, which do not go to standard output: leave --file out, or name a file")}
	}
	files, err := opt.application(r)
	if err != nil {
		return err
	}
	folder := filepath.Dir(opt.Path)
	for _, file := range files {
		if _, err := os.Lstat(filepath.Join(folder, file.name)); err == nil && !opt.Force {
			return exists(filepath.Join(folder, file.name))
		}
	}
	if err := os.MkdirAll(filepath.Join(folder, functionFolder), 0o755); err != nil {
		return err
	}
	for _, file := range files {
		name := filepath.Join(folder, file.name)
		if err := write(name, file.data, opt.Force); err != nil {
			return err
		}
		fmt.Fprintf(opt.Stderr, "Wrote %s.\n", name)
	}
	fmt.Fprintf(opt.Stderr, "Now run samforge invoke%[1]s, and samforge package%[1]s --image-repository REPOSITORY.\n", fileFlag(" -t ", opt.Path))
	return nil
}

// newFile is a file to be written.
type newFile struct {
	name string // relative to the folder of the template
	data []byte
}

// application returns the files of an application, the template last.
func (opt Options) application(r runtime) ([]newFile, error) {
	values := map[string]string{
		"File": fileFlag(" -f ", filepath.Base(opt.Path)), "TemplateFile": fileFlag(" --template-file ", filepath.Base(opt.Path)),
		"Repo": opt.Repo, "Image": r.image,
	}
	if opt.Repo == "" {
		values["Repo"] = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/hello"
	}
	var files []newFile
	folder := path.Join("application", r.language)
	entries, err := fs.ReadDir(applicationFiles, folder)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		data, err := fill(path.Join(folder, entry.Name()), values)
		if err != nil {
			return nil, err
		}
		name := strings.TrimSuffix(entry.Name(), ".tmpl")
		if name == "dockerignore" {
			name = ".dockerignore"
		}
		files = append(files, newFile{filepath.Join(functionFolder, name), data})
	}
	data, err := fill("application/template.yaml.tmpl", values)
	return append(files, newFile{filepath.Base(opt.Path), data}), err
}

// fill fills in a file of applicationFiles: {{.Repo}} stands for the value of Repo.
func fill(name string, values map[string]string) ([]byte, error) {
	text, err := applicationFiles.ReadFile(name)
	var pairs []string
	for key, value := range values {
		pairs = append(pairs, "{{."+key+"}}", value)
	}
	return []byte(strings.NewReplacer(pairs...).Replace(string(text))), err
}

// fileFlag returns the flag for a template that samforge does not find by itself.
func fileFlag(flag, name string) string {
	if name == TemplateName {
		return ""
	}
	return flag + name
}
