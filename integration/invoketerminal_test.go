package integration

import (
	"io"
	"os"
	"strings"
	"testing"

	"github.com/containerd/console"
)

// On a terminal each response ends its line, so that the prompt of the shell does not follow it.
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
	p.cmd.Stdout = terminal
	p.start(t)
	must(t, terminal.Close())
	if r := p.wait(t); r.code != 0 {
		t.Fatalf("exit code %d\n%s", r.code, r.stderr)
	}
	text := <-shown
	if strings.Count(text, "\"name\":\"good\"}\r\n") != 2 || !strings.HasSuffix(text, "\r\n") {
		t.Errorf("the terminal shows %q", text)
	}
}
