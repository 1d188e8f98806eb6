package integration

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/samforge/samforge/integration/testenv"
)

// What fails on Lambda fails in samforge invoke. In an engine, behind AWS's emulator, the same functions
// of the same image answer: docs/invoke-limits.md has this table.
func TestLimitsUnderEmulator(t *testing.T) {
	t.Parallel()
	b, _ := sharedBed(t)
	template := limitedApplication(t, b)
	engine, err := testenv.StartDockerd(t.Context(), testenv.DockerdOptions{InMemory: true})
	must(t, err)
	t.Cleanup(func() { must(t, engine.Close()) })
	run(t, append(b.env, "DOCKER_HOST="+engine.Host), "build", "-q", "--builder", b.Buildkitd.Addr, "-f", template, "--target", "good", "--load", "-t", "limited:1").ok(t)
	for function, c := range map[string]struct{ event, refused, answer string }{
		"writes": {`{}`, "EROFS: read-only file system", `"written"`},
		"reads":  {`{}`, "EACCES: permission denied", `"secret\n"`},
		"fills":  {`{}`, "ENOSPC: no space left on device", `640`},
		"eats":   {`{"megabytes": 400}`, "Runtime.ExitError", `"full"`},
		"sleeps": {`{"milliseconds": 3000}`, "Task timed out after 2.00 seconds", `"awake"`},
	} {
		t.Run(function, func(t *testing.T) {
			event := eventFile(t, c.event)
			if r := b.invoked(template, function, "-e", event); r.code != 1 || !strings.Contains(r.stdout, c.refused) {
				t.Errorf("samforge invoke: exit code %d, stdout %s, want 1 and %s\n%s", r.code, r.stdout, c.refused, r.stderr)
			}
			f, err := engine.StartFunction(t.Context(), "limited:1", testenv.FunctionOptions{Command: []string{"app." + function}, Unlimited: true})
			must(t, err)
			t.Cleanup(func() { must(t, f.Close()) })
			answer, err := f.Invoke(t.Context(), []byte(c.event))
			must(t, err)
			if string(answer) != c.answer {
				t.Errorf("the emulator: got %s, want %s; its log ends with:\n%s", answer, c.answer, f.Log())
			}
		})
	}
}

// What a function may do that no client of AWS does, and the sizes at Lambda's limits.
func TestInvokeMisbehaviour(t *testing.T) {
	t.Parallel()
	b, _ := sharedBed(t)
	template := goApplication(t, "amd64", "answers", "twice", "asks", "bytes")
	const most = 6 << 20
	event := `"` + strings.Repeat("x", most-2) + `"`
	b.wantInvocations(template, map[string]invocation{
		"answers twice":               {"twice", "{}", 0, `"first"`, "403 {"},
		"asks again":                  {"asks", "{}", 1, "Task timed out after 5.00 seconds", "the invocation has no response yet"},
		"an event of 6 MB":            {"bytes", event, 0, strings.Repeat("\n", most), ""},
		"a response of 6 MB":          {"bytes", fmt.Sprint(most), 0, strings.Repeat("\n", most), ""},
		"a response that is too long": {"bytes", fmt.Sprint(most + 101), 1, `{"errorType":"Function.ResponseSizeTooLarge"`, "Status: error"},
		"an event that is too long":   {"bytes", event + " ", 2, "", "has more than 6291456 bytes"},
	})
	t.Run("leaves a process behind", func(t *testing.T) {
		mark := "MARK=" + filepath.Base(t.TempDir()) + t.Name()
		r := b.invoked(template, "answers", "-e", eventFile(t, `{"Do": "child", "Mark": "`+strings.TrimPrefix(mark, "MARK=")+`"}`))
		if r.code != 0 || r.stdout != `"started"` {
			t.Errorf("exit code %d, stdout %s\n%s", r.code, r.stdout, r.stderr)
		}
		processes, err := filepath.Glob("/proc/[0-9]*/environ")
		must(t, err)
		for _, path := range processes {
			if environment, _ := os.ReadFile(path); bytes.Contains(environment, []byte(mark)) {
				t.Errorf("a process of the function is left: %s", path)
			}
		}
	})
}

// A function that logs 100 MiB: none of it is lost, and samforge keeps none of it.
func TestInvokeFlood(t *testing.T) {
	t.Parallel()
	b, _ := sharedBed(t)
	template := goApplication(t, "amd64", "answers")
	text, err := os.ReadFile(template)
	must(t, err)
	must(t, os.WriteFile(template, bytes.ReplaceAll(text, []byte("Timeout: 5"), []byte("Timeout: 300")), 0o600))
	logs := &lineCounter{line: strings.Repeat("x", 1023)}
	peak := map[string]int64{}
	for _, do := range []string{"nothing", "flood"} {
		cmd := exec.CommandContext(t.Context(), samforgeBinary, "invoke", "-q", "--builder", b.Buildkitd.Addr, "-t", template, "answers", "-e", eventFile(t, `{"Do": "`+do+`", "Megabytes": 100}`))
		var stdout strings.Builder
		cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), b.env...), &stdout, logs
		must(t, cmd.Run())
		if want := map[string]string{"nothing": `"did nothing"`, "flood": `"logged"`}[do]; stdout.String() != want {
			t.Errorf("got %s, want %s", stdout.String(), want)
		}
		peak[do] = cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss >> 10
	}
	if logs.seen != 100<<10 {
		t.Errorf("%d lines of the log, want %d", logs.seen, 100<<10)
	}
	if more := peak["flood"] - peak["nothing"]; more > 64 {
		t.Errorf("samforge needs %d MiB more for a log of 100 MiB: %v", more, peak)
	}
}

// lineCounter counts the lines that are written to it.
type lineCounter struct {
	line string
	rest []byte
	seen int
}

func (c *lineCounter) Write(text []byte) (int, error) {
	c.rest = append(c.rest, text...)
	for {
		line, rest, found := bytes.Cut(c.rest, []byte("\n"))
		if !found {
			return len(text), nil
		}
		if string(line) == c.line {
			c.seen++
		}
		c.rest = rest
	}
}
