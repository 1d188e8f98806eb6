package invoke

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/samtemplate"
)

// load reads a template that is written to a folder with other files.
func load(t *testing.T, files map[string]string) *samtemplate.Template {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	template, err := samtemplate.Load(samtemplate.File{Name: filepath.Join(dir, "template.yaml"), Data: []byte(files["template.yaml"])}, samtemplate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return template
}

const functions = `Transform: AWS::Serverless-2016-10-31
Resources:
  One:
    Type: AWS::Serverless::Function
    Properties:
      PackageType: Image
      Timeout: 7
      MemorySize: 512
      EphemeralStorage: {Size: 1024}
      ImageConfig: {Command: [app.one], WorkingDirectory: /work}
      Environment: {Variables: {COLOR: blue, PATH: /own, QUEUE: !Ref Queue}}
    Metadata: {Dockerfile: Dockerfile, DockerContext: .}
  Two:
    Type: AWS::Serverless::Function
    Properties: {PackageType: Image}
    Metadata: {Dockerfile: Dockerfile, DockerContext: ., SamforgeEvent: own/two.json}
  Three:
    Type: AWS::Serverless::Function
    Properties: {PackageType: Image}
    Metadata: {Dockerfile: Dockerfile, DockerContext: .}
  Queue: {Type: AWS::SQS::Queue}
`

// What an instance gets: the settings of the template over those of the image, and Lambda's own over
// all.
func TestSpec(t *testing.T) {
	t.Parallel()
	template := load(t, map[string]string{"template.yaml": functions, "env.json": `{"Parameters": {"COLOR": "red", "NEW": "x"}, "One": {"QUEUE": 12345678}}`})
	f, warnings := Of(template.AllFunctions()[0])
	if len(warnings) != 1 || !strings.HasPrefix(warnings[0], "the variable QUEUE is not set: ") {
		t.Errorf("the warnings are %q", warnings)
	}
	image := ocispecs.ImageConfig{Entrypoint: []string{"/entry"}, Cmd: []string{"of.image"}, WorkingDir: "/var/task", Env: []string{"PATH=/image", "IMAGE=1"}}
	s := f.spec(image, "eu-west-1")
	if !slices.Equal(s.Args, []string{"/entry", "app.one"}) || s.Dir != "/work" || s.Timeout != 7*time.Second || s.Memory != 512<<20 || f.Storage != 1024 {
		t.Errorf("got %+v", s)
	}
	for _, want := range []string{"COLOR=blue", "PATH=/own", "IMAGE=1", "_HANDLER=app.one", "AWS_REGION=eu-west-1", "AWS_LAMBDA_FUNCTION_NAME=One", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=512"} {
		if !slices.Contains(s.Env, want) {
			t.Errorf("the environment %q is without %s", s.Env, want)
		}
	}
	if err := f.SetVariables(filepath.Join(filepath.Dir(template.Name), "env.json"), template.AllFunctions()[0]); err != nil {
		t.Fatal(err)
	}
	if f.Environment["COLOR"] != "red" || f.Environment["QUEUE"] != "12345678" || f.Environment["NEW"] != "" {
		t.Errorf("the variables are %q", f.Environment)
	}
	other, _ := Of(template.AllFunctions()[1])
	if s := other.spec(ocispecs.ImageConfig{Cmd: []string{"/run"}}, "eu-west-1"); s.Dir != "/" || s.Timeout != 3*time.Second || s.Memory != 128<<20 || !slices.Equal(s.Args, []string{"/run"}) {
		t.Errorf("without settings: got %+v", s)
	}
}

// A file of variables that has another form is a mistake that says what is there instead.
func TestVariablesOfAnotherForm(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`[]`: `: found array at byte 1`, `{"One": "x"}`: `: found string at byte 11`, `{"One": [1]}`: `: found array at byte 9`, ``: `: unexpected end of JSON input`,
	} {
		path := filepath.Join(t.TempDir(), "env.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readVariables(path); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

// A setting that Lambda does not take is named, and not too large for a computation.
func TestOutOfRange(t *testing.T) {
	t.Parallel()
	settings := strings.NewReplacer("Timeout: 7", "Timeout: 9999999999999", "MemorySize: 512", "MemorySize: 64", "Size: 1024", "Size: 10241")
	f, warnings := Of(load(t, map[string]string{"template.yaml": settings.Replace(functions)}).AllFunctions()[0])
	want := []string{"Timeout is 2147483647, and Lambda takes 1 to 900", "MemorySize is 64, and Lambda takes 128 to 10240", "EphemeralStorage is 10241, and Lambda takes 512 to 10240"}
	if f.Timeout <= 0 || f.Storage != 10241 || len(warnings) != 4 || !slices.Equal(warnings[1:], want) {
		t.Errorf("%+v\n%q", f, warnings)
	}
}

// Events are beside the template, or where the function says.
func TestProofs(t *testing.T) {
	t.Parallel()
	template := load(t, map[string]string{
		"template.yaml": functions, "events/One.json": `{"one": 1}`, "events/One.response.json": `"yes"`, "own/two.json": "2",
	})
	proofs, without, err := Proofs(template)
	if err != nil || !slices.Equal(without, []string{"Three"}) {
		t.Fatalf("got %v, %v", without, err)
	}
	if one, two := proofs["One"], proofs["Two"]; string(one.Event) != `{"one": 1}` || string(one.Response) != `"yes"` || string(two.Event) != "2" || two.Response != nil || !two.Proof {
		t.Errorf("got %+v, %+v", one, two)
	}
	for files, want := range map[string]string{"events/One.json": "the event is no JSON", "nothing": "two.json"} {
		_, _, err := Proofs(load(t, map[string]string{"template.yaml": functions, files: "{"}))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", files, err, want)
		}
	}
}

// Responses are compared as JSON, or as texts.
func TestAlike(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		one, other string
		want       bool
	}{
		{`{"a": 1, "b": [2]}`, `{"b":[2],"a":1.0}`, true}, {`{"a": 1}`, `{"a": 2}`, false}, {"text", "text", true}, {"text", "other", false}, {"1", "text", false},
		{"9007199254740993", "9007199254740992", false}, {`{"a": 1e400}`, `{"a":10.0E+399}`, true}, {"[0.10, -0.0, 120]", "[1e-1,0,1.2e2]", true}, {"[-1]", "[1]", false},
		{"1e99999999999999999999", "1e99999999999999999998", false}, {"1 2", "1", false}, {`"1"`, "1", false}, {`"1e0"`, "1", false},
	} {
		if got := alike([]byte(c.one), []byte(c.other)); got != c.want {
			t.Errorf("%s and %s: got %t", c.one, c.other, got)
		}
	}
}

// failing is the connection to an instance whose function fails, and which ends with the connection as
// soon as it hears that.
type failing struct {
	io.Reader
	ended func()
}

func (f *failing) Write(p []byte) (int, error) {
	if strings.Contains(string(p), `"End":true`) {
		f.ended()
	}
	return len(p), nil
}

// The reason why a proof fails is there before the builder can say that the step has ended.
func TestProofThatFails(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	i := &Invoker{opt: Options{Stderr: io.Discard}}
	in := &running{Call: &Call{Proof: true}}
	i.instances = map[string]*running{"socket": in}
	conn := &failing{strings.NewReader(`{"Done": {"Err": {"Type": "TypeError", "Body": "e30="}}}`), func() {
		if i.mu.Lock(); in.err == nil {
			t.Error("the step ends, and nothing says that the proof failed")
		}
		i.mu.Unlock()
		cancel()
	}}
	if known, err := i.serve(ctx, "socket", conn); !known || err != nil || in.err == nil || ctx.Err() == nil {
		t.Errorf("got %t, %v, %v, %v", known, err, in.err, ctx.Err())
	}
}
