package integration

import (
	"strings"
	"testing"
)

// On a terminal each response ends its line, so that neither the log nor the prompt of the shell follows it.
func TestInvokeOnATerminal(t *testing.T) {
	t.Parallel()
	b, _ := sharedBed(t)
	code, text := onTerminal(t, command(t, b.env, "invoke", "-q", "--builder", b.Buildkitd.Addr, "-t", limitedApplication(t, b), "good", "--invocations", "2"))
	if code != 0 {
		t.Fatalf("exit code %d\n%s", code, text)
	}
	if strings.Count(text, "\"name\":\"good\"}\r\n") != 2 || strings.Contains(text, "\r\n\r\n") || !strings.HasSuffix(text, "\r\n") {
		t.Errorf("the terminal shows %q", text)
	}
}
