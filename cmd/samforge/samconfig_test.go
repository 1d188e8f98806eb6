package main

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/samforge/samforge/internal/project"
)

const configured = `[default.global.parameters]
region = "eu-central-1"
[default.build.parameters]
template_file = "app/template.yaml"
parameter_overrides = "Stage=dev"
exclude = "Old"
base_dir = "src"
[default.package.parameters]
image_repository = "registry.example.com/app"
output_template_file = "packaged.yaml"
[prod.build.parameters]
parameter_overrides = "Stage=prod"
`

// inFolder changes to a new folder with files.
func inFolder(t *testing.T, files map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
}

// A flag on the command line wins over samconfig.toml.
func TestFlagsOfATemplate(t *testing.T) {
	inFolder(t, map[string]string{"samconfig.toml": configured, "params.yaml": "Stage: file\n"})
	all := project.Options{File: "app/template.yaml", Region: "eu-central-1", BaseDir: "src", Excludes: []string{"Old"}, Parameters: map[string]string{"Stage": "dev"}}
	for line, want := range map[string]project.Options{
		"":                  all,
		"--config-env prod": {Parameters: map[string]string{"Stage": "prod"}},
		"--parameter-overrides A=1 --region us-west-2 --exclude New --base-dir .": {
			File: all.File, Region: "us-west-2", BaseDir: ".", Excludes: []string{"New"}, Parameters: map[string]string{"A": "1"}},
		"--parameter-overrides file://params.yaml": {
			File: all.File, Region: all.Region, BaseDir: "src", Excludes: all.Excludes, Parameters: map[string]string{"Stage": "file"}},
		"--file other/template.yaml": {File: "other/template.yaml"},
	} {
		var f buildFlags
		var got project.Options
		c := &cobra.Command{Use: "build", SilenceUsage: true, RunE: func(c *cobra.Command, _ []string) (err error) {
			if _, err = f.configure(c, "", "build"); err == nil {
				got, err = f.options(c, nil)
			}
			return err
		}}
		f.register(c)
		c.SetArgs(strings.Fields(line))
		if err := c.ExecuteContext(t.Context()); err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		got = project.Options{File: got.File, Region: got.Region, BaseDir: got.BaseDir, Excludes: got.Excludes, Parameters: got.Parameters}
		if len(got.Excludes) == 0 {
			got.Excludes = nil
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", line, got, want)
		}
	}
}

// samconfig.toml is SAM's: other build files do not read it, and a template's mistakes in it end
// with exit code 2.
func TestMistakesInTheConfigurationOfSAM(t *testing.T) {
	inFolder(t, map[string]string{
		"sam/samconfig.toml": "[default.build.parameters]\nregion = 1\n", "sam/template.yaml": "Resources: {}\n",
		"own/samconfig.toml": "[default.build.parameters]\nregion = 1\n", "own/samforge.yaml": "kind: sam\n",
	})
	for line, want := range map[string]string{
		"build -f sam/template.yaml":                         "sam/samconfig.toml:2: region is a number",
		"build sam":                                          "sam/samconfig.toml:2: region is a number",
		"plan -f sam/template.yaml":                          "sam/samconfig.toml:2: region is a number",
		"package -t sam/template.yaml":                       "sam/samconfig.toml:2: region is a number",
		"build -f sam/template.yaml --config-file a":         "--config-file a: there is no sam/a",
		"build -f own/samforge.yaml":                         "samforge.yaml:1",
		"build -f own/samforge.yaml --config-env prod":       "--config-env is for a SAM template in a file",
		"package --s3-bucket uploads --s3-prefix a":          "--s3-bucket: samforge package uploads nothing to S3",
		"package --resolve-s3":                               "--resolve-s3: samforge package uploads nothing to S3",
		"package --signing-profiles A=b C=d":                 "--signing-profiles: the code of zip functions is signed",
		"build -f own/samforge.yaml --cached":                "samforge.yaml:1",
		"build --use-container --docker-network a":           "--docker-network: the network of the build steps is --network",
		"build --build-dir a":                                "name the template to write with --output-template-file",
		"build --template-file sam/template.yaml":            "sam/samconfig.toml:2: region is a number",
		"build HelloFunction":                                "HelloFunction is no folder, and no address of a git repository or an archive; a target is --target HelloFunction",
		"package --stack-name a --image-repository b":        "--stack-name is for the repositories of --resolve-image-repos",
		"package --parameter-overrides A=1 B=2":              "B=… is no flag: put several parameters into quotes",
		"build --parameter-overrides A=1 B=2 C=3":            "B=… is no flag: put several parameters into quotes",
		"invoke -t sam/template.yaml F":                      "sam/samconfig.toml:2: region is a number",
		"invoke F --docker-network a":                        "--docker-network: a function reaches the network of the builder with --network",
		"start-api --skip-pull-image --log-file a":           "--log-file: logs are on standard error",
		"package template.yaml":                              "samforge package takes no arguments",
		"package --force-upload --no-progressbar -t a/b":     "Missing option '--image-repositories', '--image-repository', '--resolve-image-repos'",
		"package --resolve-image-repos --image-repository a": "Only one of the following can be provided: '--image-repositories', '--image-repository', '--resolve-image-repos'. Do you have multiple specified in the command or in a configuration file?",
	} {
		_, err := execute(strings.Fields(line)...)
		if err == nil || !strings.Contains(err.Error(), want) || exitCode(err) != exitInput {
			t.Errorf("%s: got %v, want %s", line, err, want)
		}
	}
}
