package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/internal/samconfig"
	"github.com/samforge/samforge/internal/userfile"
	"github.com/samforge/samforge/llbgen"
	"github.com/samforge/samforge/samtemplate"
)

// configFlags say where the configuration of SAM CLI is.
type configFlags struct{ file, env string }

// registerConfig registers the flags for the configuration of SAM CLI.
func (f *buildFlags) registerConfig(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&f.config.file, "config-file", "", "configuration `file` of SAM CLI, relative to the SAM template (default samconfig.toml, samconfig.yaml or samconfig.yml)")
	flags.StringVar(&f.config.env, "config-env", "", "`environment` in the configuration of SAM CLI (default "+samconfig.DefaultEnv+")")
}

// configure takes flags of a SAM template that were not given from the configuration of SAM CLI,
// and returns the whole of it. Mistakes are a [*usageError].
func (f *buildFlags) configure(c *cobra.Command, folder string, commands ...string) (samconfig.Parameters, error) {
	if f.input.File != "" {
		folder = filepath.Dir(f.input.File)
	}
	p, err := samconfig.Read(c.Context(), samconfig.Query{Folder: folder, File: f.config.file, Env: f.config.env, Commands: commands})
	if err != nil {
		return p, &usageError{err}
	}
	o := &f.input
	if o.File == "" {
		o.File = p.TemplateFile
	}
	given := c.Flags().Changed
	if !given("base-dir") {
		o.BaseDir = p.BaseDir
	}
	if !given("profile") {
		f.profile = p.Profile
	}
	if !given("region") {
		o.Region = p.Region
	}
	if !given("exclude") {
		o.Excludes = p.Exclude
	}
	if !given("parameter-overrides") {
		o.Parameters = p.Overrides
	}
	return p, nil
}

// configureBuild is configure for a command that reads SAM templates and other build files.
func (f *buildFlags) configureBuild(c *cobra.Command, args []string) error {
	folder := strings.Join(args, "") // of at most one
	if info, err := os.Stat(folder); folder != "" && (err != nil || !info.IsDir()) {
		folder = "" // the address of a repository, or a mistake that is found later
	}
	template, err := f.readsTemplate(folder)
	if err != nil || template {
		if err == nil {
			f.sam, err = f.configure(c, folder, append([]string{"build"}, f.sections...)...)
		}
		return err
	}
	for _, name := range []string{"config-file", "config-env"} {
		if c.Flags().Changed(name) {
			return &usageError{fmt.Errorf("--%s is for a SAM template in a file, and the build file is none: leave it out", name)}
		}
	}
	return nil
}

// readsTemplate reports whether the build file is a SAM template. Without --file it is one if there
// is no samforge.yaml. A build file that cannot be read twice, such as a pipe, counts as none.
func (f *buildFlags) readsTemplate(folder string) (bool, error) {
	if f.input.File == "" {
		_, err := os.Stat(filepath.Join(folder, llbgen.Filename))
		return os.IsNotExist(err), nil
	}
	data, err := userfile.Read(f.input.File, llbgen.MaxFileSize)
	return err == nil && samtemplate.IsTemplate(data), nil
}

// samFlag is a flag of SAM CLI that samforge does not have.
type samFlag struct {
	name   string
	isBool bool
	// instead says what to do; if it is empty, the flag is accepted, as it changes nothing.
	instead string
}

// packageSAMFlags are the flags of `sam package` that are about uploads to S3 or about AWS.
func packageSAMFlags() []samFlag {
	const upload = "samforge package uploads nothing to S3: leave it out, and give it to sam package or aws cloudformation package, which upload the code of zip functions, with the template that samforge writes"
	return []samFlag{
		{"s3-bucket", false, upload},
		{"s3-prefix", false, upload},
		{"resolve-s3", true, upload},
		{"kms-key-id", false, upload},
		{"metadata", false, upload},
		{"signing-profiles", false, "the code of zip functions is signed, never images: leave it out, and give it to sam package with the template that samforge writes"},
		{"force-upload", true, ""}, // a tag says what its image is made from: nothing to overwrite
		{"no-progressbar", true, ""},
		{"debug", true, ""},
	}
}

// buildSAMFlags are the flags of `sam build` that are about functions whose code is no image, or
// about how SAM CLI builds.
func buildSAMFlags() []samFlag {
	const zip = "the flag is for functions whose code is no image, which samforge does not build: leave it out, and build them with sam build"
	return []samFlag{
		{"cached", true, ""}, // the builder has a cache, and --cache-from names others
		{"no-cached", true, ""},
		{"parallel", true, ""},
		{"use-buildkit", true, ""},
		{"use-container", true, ""}, // images are always built in containers
		{"skip-pull-image", true, ""},
		{"debug", true, ""},
		{"cache-dir", false, ""},
		{"build-dir", false, "samforge keeps nothing in a folder: name the template to write with --output-template-file, such as DIR/template.yaml"},
		{"docker-network", false, "the network of the build steps is --network"},
		{"container-env-var", false, zip},
		{"container-env-var-file", false, zip},
		{"build-image", false, zip},
		{"manifest", false, zip},
		{"mount-with", false, zip},
		{"hook-name", false, "samforge reads SAM templates only: build the functions of Terraform and others with sam build"},
	}
}

// localSAMFlags are the flags of `sam local invoke` and `sam local start-api` that are about a Docker
// engine, or about what samforge does not do.
func localSAMFlags() []samFlag {
	const debugger = "no debugger reaches an instance on a builder: debug with sam local"
	return []samFlag{
		{"skip-pull-image", true, ""},
		{"force-image-build", true, ""},
		{"no-event", true, ""},
		{"shutdown", true, ""},
		{"disable-authorizer", true, ""}, // there are none
		{"debug", true, ""},
		{"docker-volume-basedir", false, ""},
		{"layer-cache-basedir", false, ""},
		{"container-host", false, ""},
		{"container-host-interface", false, ""},
		{"warm-containers", false, ""}, // they always are
		{"docker-network", false, "a function reaches the network of the builder with --network"},
		{"log-file", false, "logs are on standard error: redirect it, 2>FILE"},
		{"invoke-image", false, "an image without a template is --image"},
		{"no-memory-limit", true, "the limit is MemorySize of the template, as on Lambda: raise it there"},
		{"add-host", false, "a function finds the hosts that the builder finds, with --network"},
		{"debug-port", false, debugger},
		{"debug-function", false, debugger},
		{"debugger-path", false, debugger},
		{"debug-args", false, debugger},
		{"container-env-vars", false, debugger},
		{"static-dir", false, "samforge serves what functions answer, and no files"},
		{"ssl-cert-file", false, "samforge serves HTTP on the loopback: put a proxy in front of it"},
		{"ssl-key-file", false, "samforge serves HTTP on the loopback: put a proxy in front of it"},
	}
}

// registerSAM registers the flags of SAM CLI that samforge does not have, without showing them.
func registerSAM(c *cobra.Command, known []samFlag) {
	for _, flag := range known {
		if flag.isBool {
			c.Flags().Bool(flag.name, false, "")
		} else {
			c.Flags().StringArray(flag.name, nil, "")
		}
		_ = c.Flags().MarkHidden(flag.name)
	}
	otherArgs := c.Args
	c.Args = func(c *cobra.Command, args []string) error {
		for _, flag := range known {
			if flag.instead != "" && c.Flags().Changed(flag.name) {
				return &usageError{fmt.Errorf("--%s: %s", flag.name, flag.instead)}
			}
		}
		return otherArgs(c, args)
	}
}

// refuseSAM refuses flags of SAM CLI for a build file that is no SAM template.
func refuseSAM(c *cobra.Command, p *project.Project, known []samFlag) error {
	for _, flag := range known {
		if !p.IsTemplate() && c.Flags().Changed(flag.name) {
			instead := cmp.Or(dockerFlags()[flag.name], "leave it out")
			return &usageError{fmt.Errorf("--%s is for a SAM template, and %s is none: %s", flag.name, p.File.Name, instead)}
		}
	}
	return nil
}

// severalValues refuses a second parameter after --parameter-overrides, which SAM CLI takes.
func severalValues(c *cobra.Command, args []string) error {
	if len(args) == 0 || !strings.Contains(args[0], "=") || !c.Flags().Changed("parameter-overrides") {
		return nil
	}
	// Its value may be secret.
	name, _, _ := strings.Cut(args[0], "=")
	return &usageError{fmt.Errorf("%s=… is no flag: put several parameters into quotes, as in --parameter-overrides 'A=1 B=2', or repeat the flag", name)}
}
