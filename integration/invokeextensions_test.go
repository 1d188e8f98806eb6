package integration

import (
	"strconv"
	"strings"
	"testing"

	"github.com/samforge/samforge/integration/testenv"
)

// Extensions hear of the function, of its invocations and of the end. An invocation waits for them, and one that
// fails ends the instance.
func TestInvokeExtensions(t *testing.T) {
	t.Parallel()
	b, _ := sharedBed(t)
	program, err := testenv.GoFunction(t.Context(), "amd64")
	must(t, err)
	functions := map[string]clientFunction{}
	dockerfile := "FROM scratch AS function\nCOPY function /\nENTRYPOINT [\"/function\"]\n"
	add := func(stage, handler string, extensions ...string) {
		functions[stage] = clientFunction{"Timeout: 2, MemorySize: 512, ImageConfig: {Command: [" + handler + "]}", stage}
		dockerfile += "FROM function AS " + stage + "\n"
		for _, name := range extensions {
			dockerfile += "COPY function /opt/extensions/" + name + "\n"
		}
	}
	for _, name := range []string{"listens", "quiet", "deaf", "slow", "early", "initerror", "exiterror", "crashes"} {
		add(name, "answers", name)
	}
	add("internal", "ends")
	add("both", "ends", "listens", "quiet")
	add("late", "waits", "listens")
	add("cut", "asks", "listens")
	var many []string
	for i := range 11 {
		many = append(many, "quiet"+strconv.Itoa(i))
	}
	add("many", "answers", many...)
	template := clientApplication(t, functions, map[string]string{"function": string(program), "Dockerfile": dockerfile})

	for function, c := range map[string]struct {
		code   int
		stdout string
		logs   []string // parts of standard error, one after the other
	}{
		"listens": {0, `"did "`, []string{
			`listens registered: {"accountId":"012345678912","functionName":"listens","functionVersion":"$LATEST","handler":"answers"}`,
			"EXTENSION\tName: listens\tState: Ready\tEvents: [INVOKE, SHUTDOWN]", "listens got INVOKE", "REPORT", "listens got SHUTDOWN spindown",
		}},
		"quiet":     {0, `"did "`, []string{"EXTENSION\tName: quiet\tState: Ready\tEvents: []", "REPORT"}},
		"deaf":      {0, `"did "`, []string{"deaf got INVOKE", "REPORT", "deaf got SHUTDOWN spindown"}},
		"slow":      {0, `"did "`, []string{"slow got INVOKE", "slow is done", "REPORT"}},
		"internal":  {0, `"did "`, []string{"Name: GoLangEnableSIGTERM\tState: Ready", "REPORT", "the runtime got SIGTERM"}},
		"both":      {0, `"did "`, []string{"listens got INVOKE", "REPORT", "the runtime got SIGTERM", "listens got SHUTDOWN spindown"}},
		"cut":       {1, "Task timed out after 2.00 seconds", []string{"listens got INVOKE", "listens got SHUTDOWN timeout", "REPORT"}},
		"late":      {1, "Task timed out after 2.00 seconds", []string{"EXTENSION\tName: listens\tState: Ready", "INIT_REPORT"}},
		"early":     {1, `{"errorType":"Extension.Crash","errorMessage":"RequestId: `, []string{"Name: early\tState: Started", "Error Type: Extension.Crash"}},
		"initerror": {1, `{"errorType":"Extension.InitError"`, []string{`initerror {"status":"OK"}`}},
		"exiterror": {1, `{"errorType":"Extension.ExitError"`, []string{"exiterror got INVOKE", `exiterror {"status":"OK"}`, "exiterror got SHUTDOWN failure"}},
		"crashes":   {1, `Error: exit status 4"}`, []string{"crashes got INVOKE", "Error Type: Extension.Crash"}},
		"many":      {1, `Error: the image has 11 extensions, and Lambda starts 10"}`, nil},
	} {
		t.Run(function, func(t *testing.T) {
			t.Parallel()
			r := b.invoked(template, function)
			if r.code != c.code || !strings.Contains(r.stdout, c.stdout) {
				t.Errorf("exit code %d, want %d; stdout %s, want %s\n%s", r.code, c.code, r.stdout, c.stdout, r.stderr)
			}
			rest := r.stderr
			for _, want := range c.logs {
				_, after, found := strings.Cut(rest, want)
				if !found {
					t.Errorf("the logs have no %q at its place:\n%s", want, r.stderr)
					break
				}
				rest = after
			}
		})
	}
	t.Run("a warm instance", func(t *testing.T) {
		t.Parallel()
		r := b.invoked(template, "both", "--invocations", "3")
		if r.code != 0 || strings.Count(r.stderr, "listens got INVOKE") != 3 || strings.Count(r.stderr, "EXTENSION\tName: listens") != 1 || strings.Count(r.stderr, "got SHUTDOWN") != 1 {
			t.Errorf("exit code %d, stdout %s\n%s", r.code, r.stdout, r.stderr)
		}
	})
}
