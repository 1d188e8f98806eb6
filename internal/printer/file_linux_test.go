package printer

import (
	"bytes"
	"os"
	"testing"

	"github.com/containerd/console"
)

func TestIsTerminal(t *testing.T) {
	t.Parallel()
	person, name, err := console.NewPty()
	if err != nil {
		t.Fatal(err)
	}
	defer person.Close()
	terminal, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if !IsTerminal(terminal) || !IsTerminal(&File{File: terminal}) || IsTerminal(null) || IsTerminal(new(bytes.Buffer)) {
		t.Errorf("got %t for a terminal, %t for one that is masked, %t for /dev/null, %t for a buffer",
			IsTerminal(terminal), IsTerminal(&File{File: terminal}), IsTerminal(null), IsTerminal(new(bytes.Buffer)))
	}
}
