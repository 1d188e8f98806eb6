package main

import (
	"bufio"
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/containerd/console"
)

// On a terminal, samforge asks.
func TestInitAsksOnATerminal(t *testing.T) {
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
	answers := bufio.NewWriter(person)
	for _, answer := range []string{"1.1.2", "public.ecr.aws/sam/build-python3.12:1.143.0-20250822194415", ""} {
		if _, err := answers.WriteString(answer + "\n"); err != nil {
			t.Fatal(err)
		}
	}
	if err := answers.Flush(); err != nil {
		t.Fatal(err)
	}

	root := newRoot()
	var file, asked bytes.Buffer
	root.SetIn(terminal)
	root.SetOut(&file)
	root.SetErr(&asked)
	root.SetArgs([]string{"init", "-f", "-", "--kind", "sam", "--plugin", "harness/plugin:1", "--repo", "acme/plugin"})
	if err := root.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(file.String(), "  version: 1.1.2\n") || !strings.Contains(asked.String(), "or base image, such as ") {
		t.Errorf("it asked\n%s\nand wrote\n%s", asked.String(), file.String())
	}
}
