package integration

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/samforge/samforge/integration/testenv"
)

// clientFunction is a function of a clientApplication: what it has beside its context, and its stage of
// the Dockerfile.
type clientFunction struct{ properties, stage string }

// clientApplication writes a template with functions, and a folder with the files.
func clientApplication(t *testing.T, functions map[string]clientFunction, files map[string]string) (template string) {
	t.Helper()
	text := "Transform: AWS::Serverless-2016-10-31\nResources:\n"
	for name, f := range functions {
		text += "  " + name + ":\n    Type: AWS::Serverless::Function\n    Properties: {PackageType: Image, " + f.properties + "}\n" +
			"    Metadata: {Dockerfile: Dockerfile, DockerContext: ./app, DockerBuildTarget: '" + f.stage + "'}\n"
	}
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "app"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "template.yaml"), []byte(text), 0o644))
	for name, text := range files {
		must(t, os.WriteFile(filepath.Join(dir, "app", name), []byte(text), 0o755))
	}
	return filepath.Join(dir, "template.yaml")
}

// goApplication is a clientApplication of the function in Go, as the only file of its image.
func goApplication(t *testing.T, arch string, handlers ...string) (template string) {
	t.Helper()
	program, err := testenv.GoFunction(t.Context(), arch)
	must(t, err)
	functions := map[string]clientFunction{}
	for _, handler := range handlers {
		functions[handler] = clientFunction{"Architectures: [" + strings.Replace(arch, "amd64", "x86_64", 1) + "], Timeout: 5, MemorySize: 256, ImageConfig: {Command: [" + handler + "]}", "function"}
	}
	return clientApplication(t, functions, map[string]string{
		"function": string(program), "Dockerfile": "FROM scratch AS function\nCOPY function /\nENTRYPOINT [\"/function\"]\n",
	})
}

// invocation is an invocation in a test, and what it answers.
type invocation struct {
	function, event string
	code            int
	stdout          string // the whole of it, as JSON if both are; or a part of it, for a function that fails
	stderr          string // a part of it
}

// wantInvocations invokes the functions of a template.
func (b *bed) wantInvocations(template string, all map[string]invocation) {
	b.t.Helper()
	for name, c := range all {
		b.t.Run(name, func(t *testing.T) {
			r := b.invoked(template, c.function, "-e", eventFile(t, c.event))
			var got, want any
			same := r.stdout == c.stdout ||
				json.Unmarshal([]byte(r.stdout), &got) == nil && json.Unmarshal([]byte(c.stdout), &want) == nil && reflect.DeepEqual(got, want)
			if c.code != 0 {
				same = strings.Contains(r.stdout, c.stdout)
			}
			if r.code != c.code || !same || !strings.Contains(r.stderr, c.stderr) {
				t.Errorf("exit code %d, want %d\nstdout: %s\nwant: %s\nstderr: %s\nwant: %s", r.code, c.code, r.stdout, c.stdout, r.stderr, c.stderr)
			}
		})
	}
}

// eventFile writes an event to a file.
func eventFile(t *testing.T, event string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "event.json")
	must(t, os.WriteFile(path, []byte(event), 0o600))
	return path
}

// AWS's client for Go in an image that has nothing else.
func TestInvokeGoClient(t *testing.T) {
	t.Parallel()
	b, _ := sharedBed(t)
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	const arn = "arn:aws:lambda:us-east-1:012345678912:function:answers"
	b.wantInvocations(goApplication(t, "amd64", "answers", "streams", "breaks", "bytes", "panics"), map[string]invocation{
		"a response": {"answers", `{"Do": "it"}`, 0, `"did it"`, "END RequestId: "},
		"its environment": {"answers", `{"Do": "environment"}`, 0,
			`{"concurrent": false, "name": "answers", "memory": 256, "id": 36, "arn": "` + arn + `", "soon": true}`, ""},
		"an error":                    {"answers", `{"Do": "fail"}`, 1, `"errorMessage":"it failed","errorType":"errorString"`, "Error Type: errorString"},
		"a panic":                     {"answers", `{"Do": "panic"}`, 1, `"errorMessage":"it panicked","errorType":"string","stackTrace":[{`, "Status: error"},
		"an event that it cannot use": {"answers", `{"Do": 1}`, 1, `"errorType":"UnmarshalTypeError"`, ""},
		"a panic before the start":    {"panics", `{}`, 1, `{"errorType":"Runtime.ExitError","errorMessage":"RequestId: `, "panic: no start today"},
		"a stream":                    {"streams", `{}`, 0, "stream stream stream ", ""},
		"a stream that breaks":        {"breaks", `{}`, 1, `{"errorMessage":"the response broke","errorType":"errorString"`, "Error Type: errorString"},
		"bytes that are no text":      {"bytes", "null", 0, string(all), ""},
		"as many bytes as an event":   {"bytes", `"two"`, 0, "\n\n\n\n\n", ""},
		"a log without a newline":     {"answers", `{"Do": "no newline"}`, 0, `"did no newline"`, "the end of the log\nEND RequestId: "},
	})
}

// clientHandlers are the handlers of TestInvokeNodeClient.
const clientHandlers = `console.log('init');
export const answers = async (event, context) => ({ event, name: context.functionName, memory: context.memoryLimitInMB, soon: context.getRemainingTimeInMillis() < 10000, id: context.awsRequestId.length });
export const fails = async () => { console.log('about to fail'); throw new RangeError('out of range'); };
export const exits = async () => process.exit(3);
export const rejects = async () => { Promise.reject(new Error('nobody waits')); await new Promise((resolve) => setTimeout(resolve, 60000)); };
export const streams = awslambda.streamifyResponse(async (event, stream) => { for (const part of ['one ', 'two ', 'three']) stream.write(part); stream.end(); });
export const breaks = awslambda.streamifyResponse(async (event, stream) => { stream.write('the first part'); throw new Error('the stream broke'); });
export const http = awslambda.streamifyResponse(async (event, stream) => { stream = awslambda.HttpResponseStream.from(stream, { statusCode: 201 }); stream.write('body'); stream.end(); });
`

// AWS's client for Node.js, with its native part and without it.
func TestInvokeNodeClient(t *testing.T) {
	t.Parallel()
	b, _ := sharedBed(t)
	image, err := testenv.NodeClient(t.Context())
	must(t, err)
	must(t, b.Registry.PublishAll(image))
	base, err := b.Registry.Ref(testenv.NodeClientBase)
	must(t, err)
	functions := map[string]clientFunction{}
	for _, handler := range []string{"answers", "fails", "exits", "rejects", "streams", "breaks", "http", "missing"} {
		functions[handler] = clientFunction{"Timeout: 5, MemorySize: 256, ImageConfig: {Command: [app." + handler + "]}", "function"}
	}
	functions["broken"] = clientFunction{"MemorySize: 256, ImageConfig: {Command: [broken.handler]}", "function"}
	functions["other"] = clientFunction{functions["answers"].properties + ", Environment: {Variables: {AWS_LAMBDA_NODEJS_USE_ALTERNATIVE_CLIENT_1: 'true'}}", "function"}
	template := clientApplication(t, functions, map[string]string{
		"app.mjs": clientHandlers, "broken.mjs": "throw new TypeError('no start today');\n", "Dockerfile": "FROM " + base + " AS function\nCOPY *.mjs ./\n",
	})
	const answer = `{"event": {"say": "€"}, "name": "NAME", "memory": "256", "soon": true, "id": 36}`
	b.wantInvocations(template, map[string]invocation{
		"a response":           {"answers", `{"say": "€"}`, 0, strings.Replace(answer, "NAME", "answers", 1), "\tINFO\tinit\n"},
		"the other client":     {"other", `{"say": "€"}`, 0, strings.Replace(answer, "NAME", "other", 1), ""},
		"an error":             {"fails", `{}`, 1, `{"errorType":"RangeError","errorMessage":"out of range","trace":["RangeError: out of range"`, "Error Type: RangeError"},
		"an exit":              {"exits", `{}`, 1, "Runtime exited with error: exit status 3", ""},
		"a rejection":          {"rejects", `{}`, 1, `"errorType":"Runtime.`, "nobody waits"},
		"a stream":             {"streams", `{}`, 0, "one two three", ""},
		"a stream that breaks": {"breaks", `{}`, 1, `the first part{"errorType":"Error","errorMessage":"the stream broke"`, "Error Type: Error"},
		"an HTTP response":     {"http", `{}`, 0, `{"statusCode":201}` + strings.Repeat("\x00", 8) + "body", ""},
		"no handler":           {"missing", `{}`, 1, `{"errorType":"Runtime.HandlerNotFound","errorMessage":"app.missing is undefined or not exported"`, "Init Duration: "},
		"an error in the file": {"broken", `{}`, 1, `{"errorType":"TypeError","errorMessage":"no start today"`, "Init Duration: "},
	})
}
