package integration

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// The functions of the example answer their events, each in its language, and say what they needed.
func TestInvokeExample(t *testing.T) {
	t.Parallel()
	b, npm := sharedBed(t)
	a := newExampleApplication(t, b, npm)
	report := regexp.MustCompile(`(?m)^START RequestId: (\S+) Version: \$LATEST\n(?:.*\n)*END RequestId: (\S+)\nREPORT RequestId: (\S+)\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms\tMemory Size: 256 MB\tMax Memory Used: [1-9]\d* MB\tInit Duration: [\d.]+ ms$`)
	for function, answer := range answers {
		t.Run(function, func(t *testing.T) {
			r := a.run(nil, "invoke", b.Buildkitd.Addr, function, "-e", filepath.Join(filepath.Dir(a.template), "events", function+".json"))
			var got, want any
			must(t, json.Unmarshal([]byte(answer), &want))
			if err := json.Unmarshal([]byte(r.stdout), &got); r.code != 0 || err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("exit code %d, %v\nstdout: %s\nstderr: %s", r.code, err, r.stdout, r.stderr)
			}
			if ids := report.FindStringSubmatch(r.stderr); ids == nil || ids[1] != ids[2] || ids[2] != ids[3] {
				t.Errorf("the report is not that of Lambda:\n%s", r.stderr)
			}
		})
	}
}

// limited are functions that come to a limit of Lambda, or fail, by the names of their handlers.
const limited = `import cp from 'node:child_process';
import fs from 'node:fs';
const until = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
let calls = 0;
export const good = async (event) => {
  fs.writeFileSync('/tmp/file', 'x');
  fs.writeFileSync('/dev/stderr', 'by its name\n');
  console.log('working in', process.cwd());
  return { event, calls: ++calls, color: process.env.COLOR, uid: process.getuid(), memory: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE, name: process.env.AWS_LAMBDA_FUNCTION_NAME };
};
export const writes = async () => { fs.writeFileSync('/var/task/file', 'x'); return 'written'; };
export const shares = async () => { fs.writeFileSync('/dev/shm/file', 'x'); return 'written'; };
export const rises = async () => cp.execFileSync('/var/task/setuid-cat', ['/var/task/secret']).toString();
export const forks = async () => cp.execFileSync('sh', ['-c', 'x=$(head -c 16M /dev/zero | tr "\\0" x); for n in 1 2 3 4 5 6 7 8 9; do (sleep 1; :) & done; wait; echo ${#x}']).toString();
export const opens = async () => {
  const all = [];
  try { for (;;) all.push(fs.openSync('/dev/null')); } finally { all.forEach((file) => fs.closeSync(file)); }
};
export const fills = async () => { const part = Buffer.alloc(8 << 20); for (let i = 0; i < 80; i++) fs.appendFileSync('/tmp/file', part); return fs.statSync('/tmp/file').size >> 20; };
export const reads = async () => fs.readFileSync('/var/task/secret', 'utf8');
export const sleeps = async (event) => { console.log('going to sleep'); await until(event.milliseconds ?? 60000); return 'awake'; };
export const eats = async (event) => { const all = []; for (let i = 0; i < (event.megabytes ?? 100000) / 8; i++) { all.push(Buffer.alloc(8 << 20, 1)); await until(1); } return 'full'; };
export const throws = async () => { throw new TypeError('this is no number'); };
export const exits = async () => process.exit(3);
export const calls_out = async () => { try { await fetch('http://' + process.env.TO); return 'reached'; } catch (e) { return e.cause.code; } };
export const keys = async () => [process.env.AWS_ACCESS_KEY_ID, process.env.AWS_SECRET_ACCESS_KEY, process.env.AWS_SESSION_TOKEN, process.env.AWS_REGION];
export const hangs = async (event) => fetch(event.address);
export const large = async () => 'x'.repeat(7 << 20);
`

// limitedApplication writes a template with a function for each handler, and one whose settings of its
// own do not run.
func limitedApplication(t *testing.T, b *bed) (template string) {
	t.Helper()
	base := nodeFunctionBase(t, b)
	text := "Transform: AWS::Serverless-2016-10-31\nParameters: {Color: {Type: String, Default: blue}}\nResources:\n"
	add := func(name, properties, metadata string) {
		text += "  " + name + ":\n    Type: AWS::Serverless::Function\n    Properties: {PackageType: Image, " + properties + "}\n    Metadata: {Dockerfile: Dockerfile, DockerContext: ./app" + metadata + "}\n"
	}
	for _, handler := range []string{"good", "writes", "shares", "rises", "opens", "forks", "reads", "sleeps", "throws", "exits", "large", "missing"} {
		add(handler, "Timeout: 2, MemorySize: 160, ImageConfig: {Command: [app."+handler+"]}, Environment: {Variables: {COLOR: !Ref Color, TOPIC: !Ref Topic}}", "")
	}
	add("fills", "Timeout: 60, MemorySize: 256, ImageConfig: {Command: [app.fills]}", "")
	add("eats", "Timeout: 60, MemorySize: 160, ImageConfig: {Command: [app.eats]}", "")
	add("out", "ImageConfig: {Command: [app.calls_out]}, Environment: {Variables: {TO: "+b.Registry.Addr+"}}", "")
	add("keys", "ImageConfig: {Command: [app.keys]}", "")
	add("hangs", "Timeout: 600, ImageConfig: {Command: [app.hangs]}", "")
	add("nowhere", "ImageConfig: {EntryPoint: [/var/task/nowhere]}", "")
	add("nobit", "ImageConfig: {EntryPoint: [/var/task/app.mjs]}", "")
	add("nodir", "ImageConfig: {Command: [app.good], WorkingDirectory: /nowhere}", "")
	add("scratch", "MemorySize: 128", ", DockerBuildTarget: empty")
	add("nothing", "MemorySize: 128", ", DockerBuildTarget: nothing")
	text += "  Topic: {Type: AWS::SNS::Topic}\n  zip: {Type: AWS::Serverless::Function, Properties: {InlineCode: x, Runtime: python3.13, Handler: app.handler}}\n"
	dir := t.TempDir()
	for name, text := range map[string]string{
		"template.yaml":  text,
		"app/app.mjs":    limited,
		"app/secret":     "secret\n",
		"app/Dockerfile": "FROM scratch AS nothing\nFROM scratch AS empty\nCOPY app.mjs /\nCMD [\"/app.mjs\"]\nFROM " + base + "\nCOPY app.mjs ./\nCOPY --chmod=600 secret ./\nCOPY --from=" + base + " --chmod=4755 /usr/bin/cat setuid-cat\nCMD [\"app.good\"]\n",
	} {
		path := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte(text), 0o644))
	}
	return filepath.Join(dir, "template.yaml")
}

// invoked runs samforge invoke on a template.
func (b *bed) invoked(template string, args ...string) result {
	b.t.Helper()
	return run(b.t, b.env, append([]string{"invoke", "-q", "--builder", b.Buildkitd.Addr, "-t", template}, args...)...)
}

// What Lambda refuses fails here as there: each limit, each error of a function, and each image that does
// not start.
func TestInvokeLimits(t *testing.T) {
	t.Parallel()
	b, _ := sharedBed(t)
	template := limitedApplication(t, b)
	event := filepath.Join(t.TempDir(), "event.json")
	must(t, os.WriteFile(event, []byte(`{"a": [1]}`), 0o600))
	r := b.invoked(template, "good", "-e", event)
	if want := `{"event":{"a":[1]},"calls":1,"color":"blue","uid":993,"memory":"160","name":"good"}`; r.code != 0 || r.stdout != want ||
		!strings.Contains(r.stderr, "by its name\nworking in /var/task\n") || !strings.Contains(r.stderr, "WARNING: good: the variable TOPIC is not set: ") {
		t.Errorf("exit code %d, stdout %q\n%s", r.code, r.stdout, r.stderr)
	}
	for function, c := range map[string]struct{ stdout, stderr string }{
		"writes":  {`"errorMessage":"EROFS: read-only file system, open '/var/task/file'"`, "Status: error"},
		"shares":  {`"errorMessage":"EACCES: permission denied, open '/dev/shm/file'"`, ""},
		"rises":   {`/var/task/secret: Permission denied`, ""},
		"opens":   {`"errorMessage":"EMFILE: too many open files, open '/dev/null'"`, ""},
		"fills":   {`"errorMessage":"ENOSPC: no space left on device, write"`, ""},
		"reads":   {`"errorMessage":"EACCES: permission denied, open '/var/task/secret'"`, ""},
		"sleeps":  {`Error: Task timed out after 2.00 seconds"`, "going to sleep\nEND "},
		"eats":    {`"errorType":"Runtime.ExitError","errorMessage":"RequestId: `, "Error: the function had more memory than its MemorySize of 160 MB"},
		"throws":  {`{"errorType":"TypeError","errorMessage":"this is no number"}`, "Error Type: TypeError"},
		"exits":   {`Error: Runtime exited with error: exit status 3"`, "Error Type: Runtime.ExitError"},
		"large":   {`{"errorType":"Function.ResponseSizeTooLarge",`, ""},
		"missing": {`{"errorType":"Runtime.HandlerNotFound","errorMessage":"app.missing is undefined or not exported"}`, "Init Duration: "},
		"nowhere": {`{"errorType":"Runtime.InvalidEntrypoint","errorMessage":"RequestId: `, ""},
		"nobit":   {`/var/task/app.mjs: permission denied"}`, ""},
		"nodir":   {`{"errorType":"Runtime.InvalidWorkingDir",`, ""},
		"scratch": {`{"errorType":"Runtime.InvalidEntrypoint",`, ""},
		"nothing": {`the image has neither ENTRYPOINT nor CMD`, ""},
	} {
		t.Run(function, func(t *testing.T) {
			r := b.invoked(template, function)
			if r.code != 1 || !strings.Contains(r.stdout, c.stdout) || !strings.Contains(r.stderr, c.stderr) || !json.Valid([]byte(r.stdout)) {
				t.Errorf("exit code %d, stdout %s\n%s", r.code, r.stdout, r.stderr)
			}
		})
	}
	t.Run("processes that share memory", func(t *testing.T) {
		if r := b.invoked(template, "forks"); r.code != 0 || r.stdout != `"16777216\n"` {
			t.Errorf("exit code %d, stdout %s\n%s", r.code, r.stdout, r.stderr)
		}
	})
	t.Run("variables of a file", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "env.json")
		must(t, os.WriteFile(file, []byte(`{"good": {"COLOR": "red", "OTHER": "x"}, "writes": {"COLOR": "green"}}`), 0o600))
		if r := b.invoked(template, "good", "-n", file); r.code != 0 || !strings.Contains(r.stdout, `"color":"red"`) {
			t.Errorf("exit code %d, stdout %s\n%s", r.code, r.stdout, r.stderr)
		}
	})
	t.Run("an image", func(t *testing.T) {
		ref := b.repo("invoked/good:1")
		run(t, b.env, "build", "-q", "--builder", b.Buildkitd.Addr, "-f", template, "--target", "good", "--push", "-t", ref).ok(t)
		for _, c := range []struct {
			args []string
			code int
			want string
		}{
			{[]string{"--image", ref}, 0, `"memory":"128"`},
			{[]string{"--image", ref, "--memory", "256", "--timeout", "10"}, 0, `"memory":"256"`},
			{[]string{"--image", b.repo("invoked/nowhere:1")}, 1, ""},
			{[]string{"--image", "upper/Case"}, 2, ""},
			{[]string{"--image", ref, "--timeout", "99999999999"}, 2, ""},
			{[]string{"--image", ref, "good"}, 2, ""},
		} {
			if r := run(t, b.env, append([]string{"invoke", "-q", "--builder", b.Buildkitd.Addr}, c.args...)...); r.code != c.code || !strings.Contains(r.stdout, c.want) || strings.Contains(r.stderr, "Dockerfile") {
				t.Errorf("%q: exit code %d, stdout %s\n%s", c.args, r.code, r.stdout, r.stderr)
			}
		}
	})
	t.Run("an image that the template names", func(t *testing.T) {
		ref := b.repo("invoked/named:1")
		run(t, b.env, "build", "-q", "--builder", b.Buildkitd.Addr, "-f", template, "--target", "good", "--push", "-t", ref).ok(t)
		named := filepath.Join(t.TempDir(), "template.yaml")
		must(t, os.WriteFile(named, []byte("Transform: AWS::Serverless-2016-10-31\nResources:\n"+
			"  named: {Type: AWS::Serverless::Function, Properties: {PackageType: Image, MemorySize: 200, ImageUri: '"+ref+"'}}\n"+
			"  later: {Type: AWS::Serverless::Function, Properties: {PackageType: Image, ImageUri: !Ref Image}}\n"), 0o600))
		if r := b.invoked(named, "named"); r.code != 0 || !strings.Contains(r.stdout, `"memory":"200","name":"named"`) {
			t.Errorf("exit code %d, stdout %s\n%s", r.code, r.stdout, r.stderr)
		}
		if r := b.invoked(named, "later"); r.code != 2 || !strings.Contains(r.stderr, named+":4") || !strings.Contains(r.stderr, "the image of the function is not known") {
			t.Errorf("exit code %d, stdout %s\n%s", r.code, r.stdout, r.stderr)
		}
	})
	t.Run("credentials when asked", func(t *testing.T) {
		env := append(b.env, "AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=canary", "AWS_SESSION_TOKEN=token", "AWS_REGION=eu-west-3", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null")
		for want, args := range map[string][]string{
			`[null,null,null,"us-east-1"]`:                      {"keys"},
			`["AKIDEXAMPLE","canary","token","eu-west-3"]`:      {"keys", "--credentials", "--network"},
			`["AKIDEXAMPLE","canary","token","ap-southeast-2"]`: {"keys", "--credentials", "--region", "ap-southeast-2"},
		} {
			r := run(t, env, append([]string{"invoke", "--builder", b.Buildkitd.Addr, "-t", template}, args...)...)
			unreachable := len(args) == 4
			if r.code != 0 || r.stdout != want || strings.Contains(r.stderr, "canary") || strings.Contains(r.stderr, "WARNING: --credentials: ") != unreachable {
				t.Errorf("%q: exit code %d, stdout %s, want %s\n%s", args, r.code, r.stdout, want, r.stderr)
			}
		}
		if r := run(t, env, "invoke", "--builder", b.Buildkitd.Addr, "-t", template, "keys", "--credentials", "--profile", "nobody"); r.code == 0 || !strings.Contains(r.stderr, "--credentials: ") || !strings.Contains(r.stderr, "--profile") {
			t.Errorf("exit code %d\n%s", r.code, r.stderr)
		}
	})
	t.Run("the configuration of SAM CLI", func(t *testing.T) {
		dir := t.TempDir()
		config := filepath.Join(dir, "samconfig.toml")
		for name, text := range map[string]string{
			"samconfig.toml": "[default.build.parameters]\nparameter_overrides = 'Color=green'\n[default.local_invoke.parameters]\nevent = '" + dir + "/event.json'\nenv_vars = '" + dir + "/env.json'\n",
			"event.json":     "[7]", "env.json": `{"Parameters": {"TOPIC": "t"}}`,
		} {
			must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
		}
		r := b.invoked(template, "good", "--config-file", config)
		if r.code != 0 || !strings.Contains(r.stdout, `"event":[7]`) || !strings.Contains(r.stdout, `"color":"green"`) {
			t.Errorf("exit code %d, stdout %s\n%s", r.code, r.stdout, r.stderr)
		}
	})
	t.Run("no network unless asked", func(t *testing.T) {
		for want, args := range map[string][]string{`"ECONNREFUSED"`: nil, `"reached"`: {"--network"}} {
			if r := b.invoked(template, append(args, "out")...); r.code != 0 || r.stdout != want {
				t.Errorf("%q: exit code %d, stdout %s, want %s\n%s", args, r.code, r.stdout, want, r.stderr)
			}
		}
	})
	t.Run("Ctrl-C leaves nothing running", func(t *testing.T) {
		called, gone := make(chan struct{}), make(chan struct{})
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			close(called)
			<-r.Context().Done() // the function's process has ended
			close(gone)
		}))
		defer server.Close()
		must(t, os.WriteFile(event, []byte(`{"address": "`+server.URL+`"}`), 0o600))
		p := start(t, b.env, "invoke", "-q", "--builder", b.Buildkitd.Addr, "-t", template, "hangs", "--network", "-e", event)
		waitFor(t, "a call of the function", called)
		must(t, p.cmd.Process.Signal(os.Interrupt))
		if r := p.wait(t); r.code != 1 || !strings.Contains(r.stderr, "cancelled") {
			t.Errorf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
		}
		waitFor(t, "the end of the function", gone)
	})
	t.Run("a warm instance", func(t *testing.T) {
		r := b.invoked(template, "good", "--invocations", "3")
		if r.code != 0 || strings.Count(r.stdout, `"calls":`) != 3 || !strings.Contains(r.stdout, `"calls":3`) || strings.Count(r.stderr, "Init Duration") != 1 {
			t.Errorf("exit code %d, stdout %s\n%s", r.code, r.stdout, r.stderr)
		}
	})
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no JSON":      {[]string{"good", "-e", template}, "the event is no JSON"},
		"no event":     {[]string{"good", "-e", "nowhere.json"}, "--event: stat nowhere.json"},
		"which one":    {nil, "the template has several functions"},
		"no function":  {[]string{"goood"}, `did you mean "good"?`},
		"no template":  {[]string{"good", "-t", event}, ""},
		"a zip file":   {[]string{"zip"}, "the code of zip is no image: sam build, sam local invoke"},
		"two of them":  {[]string{"good", "writes"}, "takes one function"},
		"no times":     {[]string{"good", "--invocations", "0"}, "--invocations is at least 1"},
		"a wrong flag": {[]string{"good", "--nope"}, "unknown flag"},
	} {
		t.Run(name, func(t *testing.T) {
			if r := b.invoked(template, c.args...); r.code != 2 || !strings.Contains(r.stderr, c.want) || r.stdout != "" {
				t.Errorf("exit code %d, want 2 and %q\n%s%s", r.code, c.want, r.stdout, r.stderr)
			}
		})
	}
}

// Several clients can invoke the same function of the same builder at the same time, and each gets its
// own answer, or learns why its proof failed.
func TestInvokeAtOnce(t *testing.T) {
	t.Parallel()
	b, _ := sharedBed(t)
	template := limitedApplication(t, b)
	const clients = 2
	var called sync.WaitGroup
	called.Add(clients)
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		called.Done()
		called.Wait() // until all functions run
	}))
	defer server.Close()
	event := filepath.Join(t.TempDir(), "event.json")
	must(t, os.WriteFile(event, []byte(`{"address": "`+server.URL+`"}`), 0o600))
	var invoked, proved [clients]*process
	for n := range clients {
		invoked[n] = start(t, b.env, "invoke", "-q", "--builder", b.Buildkitd.Addr, "-t", template, "hangs", "--network", "-e", event)
	}
	for _, p := range invoked {
		if r := p.wait(t); r.code != 0 || r.stdout != "{}" {
			t.Errorf("exit code %d, stdout %s\n%s", r.code, r.stdout, r.stderr)
		}
	}
	events := filepath.Join(filepath.Dir(template), "events")
	must(t, os.MkdirAll(events, 0o755))
	must(t, os.WriteFile(filepath.Join(events, "sleeps.json"), []byte("{}"), 0o600)) // for as long as its time-out
	for n := range clients {
		proved[n] = start(t, b.env, "build", "--progress", "plain", "--builder", b.Buildkitd.Addr, "-f", template, "--target", "sleeps", "--verify=event")
	}
	for _, p := range proved {
		if r := p.wait(t); r.code != 1 || !strings.Contains(r.stderr, "Task timed out after 2.00 seconds") {
			t.Errorf("exit code %d\n%s", r.code, r.stderr)
		}
	}
}

// A function that does not answer its event is not pushed; one that does is invoked again only when
// something has changed.
func TestVerifyEvent(t *testing.T) {
	t.Parallel()
	b, _ := sharedBed(t)
	template := limitedApplication(t, b)
	events := filepath.Join(filepath.Dir(template), "events")
	must(t, os.MkdirAll(events, 0o755))
	write := func(name, text string) {
		t.Helper()
		must(t, os.WriteFile(filepath.Join(events, name), []byte(text), 0o600))
	}
	write("good.json", `{"a": 1}`)
	write("throws.json", `{}`)
	build := func(repo string, more ...string) result {
		args := []string{"build", "--progress", "plain", "--builder", b.Buildkitd.Addr, "-f", template, "--repo", b.repo(repo), "--push", "--verify=event", "--no-skip"}
		return run(t, b.env, append(args, more...)...)
	}
	first := build("proof/app", "--target", "good")
	if lines := first.ok(t); len(lines) != 1 || !strings.Contains(first.stderr, "working in /var/task") || !strings.Contains(first.stderr, "REPORT RequestId: ") {
		t.Errorf("stdout is %q\n%s", lines, first.stderr)
	}
	again := build("proof/app", "--target", "good")
	wantDigests(t, again.ok(t), first.ok(t))
	if strings.Contains(again.stderr, "REPORT RequestId: ") {
		t.Errorf("the function was invoked again:\n%s", again.stderr)
	}
	write("good.response.json", `{"calls": 1, "event": {"a": 1}, "color": "blue", "uid": 993, "memory": "160", "name": "good"}`)
	if r := build("proof/app", "--target", "good"); r.code != 0 || !strings.Contains(r.stderr, "REPORT RequestId: ") {
		t.Errorf("exit code %d\n%s", r.code, r.stderr)
	}
	write("good.response.json", `{"calls": 2}`)
	for function, want := range map[string]string{"good": "and not with\n{\"calls\": 2}", "throws": `the function does not answer its event: {"errorType":"TypeError"`} {
		r := build("unproven/app", "--target", function)
		if r.code != 1 || !strings.Contains(r.stderr, want) || r.stdout != "" {
			t.Errorf("%s: exit code %d, want 1 and %q\n%s%s", function, r.code, want, r.stdout, r.stderr)
		}
	}
	repository, err := name.NewRepository(b.repo("unproven/app"))
	must(t, err)
	if tags, err := remote.List(repository, remote.WithContext(t.Context())); err == nil {
		t.Errorf("images of functions that fail were pushed: %q", tags)
	}
	write("good.json", `{"a": `)
	for _, c := range []struct{ target, want string }{{"good", "the event is no JSON"}} {
		if r := build("unproven/app", "--target", c.target); r.code != 2 || !strings.Contains(r.stderr, c.want) {
			t.Errorf("exit code %d, want 2 and %q\n%s", r.code, c.want, r.stderr)
		}
	}
}
