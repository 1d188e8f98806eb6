package integration

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// served are functions that answer requests.
const served = `let calls = 0;
export const rest = async (e) => ({ statusCode: 201, headers: { 'X-Calls': ++calls }, body: JSON.stringify([e.httpMethod, e.resource, e.pathParameters.id, e.body, process.getuid()]) });
export const http = async (e) => {
  if (e.rawPath === '/http/fail') throw new Error('as asked');
  if (e.rawPath === '/http/exit') process.exit(1);
  if (e.rawPath === '/http/sleep') await new Promise((r) => setTimeout(r, 60000));
  return { route: e.routeKey, query: e.queryStringParameters };
};
export const own = async (e) => 'hello ' + e.requestContext.http.method + e.rawPath;
`

// The routes of a template are answered by warm instances of its functions, which also answer after a
// failure.
func TestStartAPI(t *testing.T) {
	t.Parallel()
	b, _ := sharedBed(t)
	base := nodeFunctionBase(t, b)
	text := "Transform: AWS::Serverless-2016-10-31\nResources:\n"
	for name, properties := range map[string]string{
		"rest":   "Events: {A: {Type: Api, Properties: {Path: '/rest/{id}', Method: any}}, B: {Type: Api, Properties: {Path: !Ref Queue, Method: get}}}",
		"http":   "Events: {A: {Type: HttpApi, Properties: {Path: '/http/{rest+}', Method: get}}}",
		"own":    "FunctionUrlConfig: {AuthType: NONE}",
		"unused": "Events: {A: {Type: Schedule, Properties: {Schedule: rate(1 day)}}}",
	} {
		text += "  " + name + ":\n    Type: AWS::Serverless::Function\n    Properties: {PackageType: Image, Timeout: 2, MemorySize: 256, ImageConfig: {Command: [app." + name + "]}, " + properties + "}\n    Metadata: {Dockerfile: Dockerfile, DockerContext: ./app}\n"
	}
	for _, n := range strings.Split("abcdefgh", "") { // more than a builder builds at once
		text += "  many" + n + ":\n    Type: AWS::Serverless::Function\n    Properties: {PackageType: Image, ImageConfig: {Command: [app.own]}, Events: {A: {Type: HttpApi, Properties: {Path: /many/" + n + ", Method: get}}}}\n    Metadata: {Dockerfile: Dockerfile, DockerContext: ./app}\n"
	}
	text += "  Queue: {Type: AWS::SQS::Queue}\n"
	dir := t.TempDir()
	template := filepath.Join(dir, "template.yaml")
	must(t, os.Mkdir(filepath.Join(dir, "app"), 0o755))
	for name, text := range map[string]string{"template.yaml": text, "app/app.mjs": served, "app/Dockerfile": "FROM " + base + "\nCOPY app.mjs ./\n"} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	p := start(t, b.env, "start-api", "-q", "--port", "0", "--builder", b.Buildkitd.Addr, "-t", template)
	ended := make(chan struct{})
	var r result
	go func() {
		defer close(ended)
		r = p.wait(t)
	}()
	address := regexp.MustCompile(`http://(127\.0\.0\.1:\d+)/rest/\{id\} \[ANY\] is rest\n`)
	for address.FindString(p.stderr.String()) == "" {
		select {
		case <-ended:
			t.Fatalf("exit code %d\n%s", r.code, r.stderr)
		default:
		}
	}
	server := address.FindStringSubmatch(p.stderr.String())[1]
	ask := func(method, path, host, body string) (status int, text string, header http.Header) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), method, "http://"+server+path, strings.NewReader(body))
		must(t, err)
		request.Host = host
		response, err := http.DefaultClient.Do(request)
		must(t, err)
		defer response.Body.Close()
		data, err := io.ReadAll(response.Body)
		must(t, err)
		return response.StatusCode, string(data), response.Header
	}
	for range 2 { // the second time after failures of another function
		for _, c := range []struct {
			method, path, host, body string
			status                   int
			want                     string
		}{
			{"POST", "/rest/7", "", "text", 201, `["POST","/rest/{id}","7","text",993]`},
			{"GET", "/http/a/b?x=1", "", "", 200, `{"route":"GET /http/{rest+}","query":{"x":"1"}}`},
			{"GET", "/any/path", "own.localhost", "", 200, "hello GET/any/path"},
			{"GET", "/http/fail", "", "", 500, `{"message":"Internal Server Error"}` + "\n"},
			{"GET", "/http/exit", "", "", 500, `{"message":"Internal Server Error"}` + "\n"},
			{"GET", "/http/sleep", "", "", 500, `{"message":"Internal Server Error"}` + "\n"},
			{"GET", "/many/a", "", "", 200, "hello GET/many/a"},
			{"GET", "/many/h", "", "", 200, "hello GET/many/h"},
			{"GET", "/nowhere", "", "", 403, `{"message":"Missing Authentication Token"}` + "\n"},
		} {
			if status, text, _ := ask(c.method, c.path, c.host, c.body); status != c.status || text != c.want {
				t.Errorf("%s %s: got %d, %s\n%s", c.method, c.path, status, text, p.stderr.String())
			}
		}
	}
	if _, _, header := ask("PUT", "/rest/x", "", ""); header.Get("X-Calls") != "3" {
		t.Errorf("the third call of an instance is number %s", header.Get("X-Calls"))
	}
	must(t, p.cmd.Process.Signal(os.Interrupt))
	waitFor(t, "the end", ended)
	for _, want := range []string{"WARNING: rest: an event is left out: ", "/ [$default] is own\n", `"errorMessage":"as asked"`, "Task timed out after 2.00 seconds", "REPORT RequestId: "} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("there is no %q in\n%s", want, r.stderr)
		}
	}
	if r.code != 0 || r.stdout != "" || strings.Contains(r.stderr, "unused") {
		t.Errorf("exit code %d, stdout %q\n%s", r.code, r.stdout, r.stderr)
	}
}

// One function that cannot be built ends all of it.
func TestStartAPIThatCannotBuild(t *testing.T) {
	t.Parallel()
	b, _ := sharedBed(t)
	dir := t.TempDir()
	text := "Transform: AWS::Serverless-2016-10-31\nResources:\n"
	for name, stage := range map[string]string{"good": "good", "bad": "bad"} {
		text += "  " + name + ":\n    Type: AWS::Serverless::Function\n    Properties: {PackageType: Image, FunctionUrlConfig: {AuthType: NONE}}\n    Metadata: {Dockerfile: Dockerfile, DockerContext: ., DockerBuildTarget: " + stage + "}\n"
	}
	must(t, os.WriteFile(filepath.Join(dir, "template.yaml"), []byte(text), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM scratch AS good\nCMD [\"/x\"]\nFROM scratch AS bad\nCOPY missing /\nCMD [\"/x\"]\n"), 0o600))
	r := run(t, b.env, "start-api", "-q", "--port", "0", "--builder", b.Buildkitd.Addr, "-t", filepath.Join(dir, "template.yaml"))
	if r.code != 1 || !strings.Contains(r.stderr, "bad: the build context "+dir+" has no missing") || strings.Contains(r.stderr, "good: ") {
		t.Errorf("exit code %d\n%s", r.code, r.stderr)
	}
}

// What start-api cannot serve is said before anything is built.
func TestStartAPIMistakes(t *testing.T) {
	t.Parallel()
	b, _ := sharedBed(t)
	template := limitedApplication(t, b)
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no API":        {[]string{"-t", template}, "no function that is built from "},
		"no template":   {[]string{"-t", "nowhere.yaml"}, "nowhere.yaml"},
		"a taken port":  {[]string{"-t", template, "--port", strings.Split(b.Registry.Addr, ":")[1]}, "--host, --port: "},
		"a wrong port":  {[]string{"-t", template, "--port", "70000"}, "--host, --port: "},
		"an argument":   {[]string{"-t", template, "good"}, "takes no arguments"},
		"a recipe":      {[]string{"-t", filepath.Join(example(t, "sam"), "samforge.yaml")}, "is no SAM template"},
		"a host of old": {[]string{"-t", template, "--host", "nowhere.invalid"}, "--host, --port: "},
	} {
		t.Run(name, func(t *testing.T) {
			r := run(t, b.env, append([]string{"start-api", "--builder", b.Buildkitd.Addr}, c.args...)...)
			if r.code != 2 || !strings.Contains(r.stderr, c.want) {
				t.Errorf("exit code %d, want 2 and %q\n%s%s", r.code, c.want, r.stdout, r.stderr)
			}
		})
	}
}
