package integration

import (
	"io"
	"os"
	"strings"
	"testing"

	"github.com/containerd/console"
)

// On a terminal each response ends its line, so that neither the log nor the prompt of the shell follows it.
func TestInvokeOnATerminal(t *testing.T) {
	t.Parallel()
	b, _ := sharedBed(t)
	person, name, err := console.NewPty()
	must(t, err)
	defer person.Close()
	terminal, err := os.OpenFile(name, os.O_RDWR, 0)
	must(t, err)
	shown := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(person) // ends with an error when nobody has the terminal open
		shown <- string(text)
	}()
	p := command(t, b.env, "invoke", "-q", "--builder", b.Buildkitd.Addr, "-t", limitedApplication(t, b), "good", "--invocations", "2")
	p.cmd.Stdout, p.cmd.Stderr = terminal, terminal
	p.start(t)
	must(t, terminal.Close())
	code := p.wait(t).code
	text := <-shown
	if code != 0 {
		t.Fatalf("exit code %d\n%s", code, text)
	}
	if strings.Count(text, "\"name\":\"good\"}\r\nEND RequestId: ") != 2 || !strings.HasSuffix(text, "\r\n") {
		t.Errorf("the terminal shows %q", text)
	}
}
