package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/samforge/samforge/integration/testenv"
	"github.com/samforge/samforge/internal/scaffold"
	"github.com/samforge/samforge/llbgen"
)

// initFlags are the flags of init for each kind of images.
var initFlags = map[string][]string{
	"sam": {"--plugin", testenv.SAMPlugin, "--plugin-version", "1.1.2-beta", "--runtime", testenv.Python312Base},
	"serverless": {
		"--plugin", serverlessPlugin, "--plugin-version", "1.1.0-beta",
		"--runtime", testenv.Python312Base, "--runtime", testenv.Node22Base, "--node", testenv.Lambda22Base, "--node", testenv.Node22Base,
	},
	"cdk": {"--plugin", cdkPlugin, "--plugin-version", "1.0.0", "--runtime", testenv.Java21Base, "--node", testenv.Lambda22Base},
}

// What init writes is right at once: after the lock that it suggests, check finds nothing but what
// depends on the day. So is what it writes beside the files of another tool, and so are the examples.
func TestInitIsGreen(t *testing.T) {
	t.Parallel()
	b, npm := sharedBed(t)
	b.base(testenv.ProvidedBase, "provided.al2023", "amd64", "arm64") // the only one that the bed lacks
	app := newExampleApplication(t, b, npm)
	mirrors := append(b.mirrors(), "--mirror", "https://registry.npmjs.org/="+npm.URL()+"/")
	for _, kind := range llbgen.KindNames() {
		t.Run("init/"+kind, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "samforge.yaml")
			wrote := run(t, b.env, append([]string{"init", "-f", file, "--kind", kind}, initFlags[kind]...)...)
			if wrote.ok(t); !strings.Contains(wrote.stderr, "samforge lock") {
				t.Errorf("init does not suggest the lock: %s", wrote.stderr)
			}
			b.wantGreen(t, file, mirrors...)
		})
	}
	for _, runtime := range []string{"nodejs22.x", "python3.13", "provided.al2023"} {
		t.Run("init/"+scaffold.Application+"/"+runtime, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "template.yaml")
			run(t, b.env, "init", "-f", file, "--kind", scaffold.Application, "--runtime", runtime).ok(t)
			app.useStandIns(t, filepath.Dir(file))
			b.wantGreen(t, file)
		})
	}
	t.Run("init/beside other files", func(t *testing.T) { b.initBesideOtherFiles(t, mirrors) })
	t.Run("examples", func(t *testing.T) { b.examplesAreGreen(t, app, mirrors) })
}

// wantGreen locks a build file, and fails the test unless samforge check passes then. Runtimes reach
// their end of life while the tests stay: that alone is exit code 0.
func (b *bed) wantGreen(t *testing.T, file string, mirrors ...string) {
	t.Helper()
	run(t, b.env, append([]string{"lock", "-f", file}, mirrors...)...).ok(t)
	if r := run(t, b.env, "check", "-f", file); r.code != 0 {
		t.Errorf("check ends with %d and says\n%s%s", r.code, r.stdout, r.stderr)
	}
}

// initBesideOtherFiles tests init in folders of the Serverless Framework and of the AWS CDK.
func (b *bed) initBesideOtherFiles(t *testing.T, mirrors []string) {
	for kind, files := range map[string]map[string]string{
		"serverless": {"serverless.yml": "service: orders\nframeworkVersion: 3.39.0\nprovider: {name: aws, runtime: nodejs22.x}\n"},
		"cdk":        {"cdk.json": "{}\n", "package.json": `{"devDependencies": {"aws-cdk": "2.1148.1"}}`},
	} {
		dir := t.TempDir()
		for name, text := range files {
			must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
		}
		wrote := runIn(t, b.env, dir, append([]string{"init"}, initFlags[kind]...)...)
		if wrote.ok(t); !strings.Contains(wrote.stderr, "--kind "+kind) {
			t.Errorf("init does not say where the kind is from: %s", wrote.stderr)
		}
		b.wantGreen(t, filepath.Join(dir, "samforge.yaml"), mirrors...)
	}
}

// examplesAreGreen tests the build files in every folder of the examples, but those of pipelines.
func (b *bed) examplesAreGreen(t *testing.T, app *exampleApplication, mirrors []string) {
	files, err := filepath.Glob(example(t, "*/*.yaml"))
	must(t, err)
	tested := 0
	for _, file := range files {
		folder := filepath.Base(filepath.Dir(file))
		if folder == "ci" {
			continue
		}
		tested++
		t.Run(folder+"/"+filepath.Base(file), func(t *testing.T) {
			dir := t.TempDir()
			if folder == scaffold.Application {
				app.checkout(t, dir)
				b.wantGreen(t, filepath.Join(dir, filepath.Base(file)))
				return
			}
			must(t, os.CopyFS(dir, os.DirFS(filepath.Dir(file))))
			b.wantGreen(t, filepath.Join(dir, filepath.Base(file)), mirrors...)
		})
	}
	if tested < 6 {
		t.Errorf("%d build files are tested: %q", tested, files)
	}
}
