package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"github.com/containerd/console"
	"github.com/tonistiigi/vt100"

	"github.com/samforge/samforge/integration/testenv"
)

// castColumns is the width of the terminal that commands are recorded on. The screen is wider, so
// that a longer line is cut and not wrapped.
const castColumns = 120

// castFunctionBase is the base image of the function that README makes.
const castFunctionBase = "public.ecr.aws/lambda/nodejs:24"

// casts records the console blocks of README.md: each section becomes one picture of a terminal in
// folder.
func (d *demo) casts(ctx context.Context, folder string) error {
	bases, err := testenv.FunctionBases(ctx)
	if err != nil {
		return err
	}
	if err := d.registry.PublishAll(bases); err != nil {
		return err
	}
	// The runtime that README names; no stand-in is of it.
	if _, err := d.registry.Push(castFunctionBase, bases[testenv.NodeFunctionBase]...); err != nil {
		return err
	}
	target, err := testenv.StartRegistry(ctx, testenv.RegistryOptions{})
	if err != nil {
		return err
	}
	defer target.Close()
	d.target = target.Addr
	sections, err := testenv.Sections("README.md")
	if err != nil {
		return err
	}
	for _, s := range sections {
		screen := vt100.NewVT100(400, 4*castColumns)
		if err := d.record(ctx, s, screen); err != nil {
			return fmt.Errorf("%s: %w", s.Title, err)
		}
		if usedLines(screen) == 0 {
			continue
		}
		name := strings.ToLower(strings.ReplaceAll(s.Title, " ", "-")) + ".svg"
		if err := os.WriteFile(filepath.Join(folder, name), []byte(terminalSVG(screen, d.publicNames())), 0o644); err != nil {
			return err
		}
		fmt.Println(filepath.Join(folder, name))
	}
	return nil
}

// record runs the console blocks of a section in a folder of their own.
func (d *demo) record(ctx context.Context, s testenv.Section, screen *vt100.VT100) error {
	dir, err := os.MkdirTemp("", "samforge-cast-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM scratch\nCOPY Dockerfile /\n"), 0o644); err != nil {
		return err
	}
	base, err := d.registry.Ref(castFunctionBase)
	if err != nil {
		return err
	}
	mirrors := d.registry.Mirrors()
	mirrors["https://app.harness.io/"] = d.files.URL() + "/"
	for _, b := range s.Blocks {
		if !b.Console {
			continue
		}
		for _, c := range b.Commands() {
			if err := testenv.UseStandIns(dir, mirrors, base); err != nil {
				return err
			}
			if err := d.recordCommand(ctx, dir, c, screen); err != nil {
				return fmt.Errorf("%s: %w", c.Text, err)
			}
		}
	}
	return nil
}

// recordCommand runs a command on a terminal of its own, and writes what it shows to screen.
func (d *demo) recordCommand(ctx context.Context, dir string, c testenv.Command, screen *vt100.VT100) error {
	pty, name, err := console.NewPty()
	if err != nil {
		return err
	}
	defer pty.Close()
	if err := pty.Resize(console.WinSize{Height: 60, Width: castColumns}); err != nil {
		return err
	}
	terminal, err := os.OpenFile(name, os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	defer terminal.Close()
	bin, err := filepath.Abs("bin")
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "bash", "-c", strings.ReplaceAll(c.Text, "registry.example.com", d.target))
	cmd.Dir = dir
	cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal, terminal, terminal
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "BUILDKIT_HOST="+d.buildkitd.Addr, "TERM=xterm-256color")
	if err := cmd.Start(); err != nil {
		return err
	}
	terminal.Close() // the last one of the command ends the reading
	shown, err := io.ReadAll(pty)
	if err != nil && !errors.Is(err, syscall.EIO) && !errors.Is(err, fs.ErrClosed) {
		return err
	}
	if err := cmd.Wait(); err != nil && !c.Fails() {
		return fmt.Errorf("%w\n%s", err, shown)
	}
	prompt := "\x1b[1m$ " + strings.ReplaceAll(strings.TrimSpace(c.Text), "\n", "\r\n") + "\x1b[0m\r\n"
	if usedLines(screen) > 0 {
		prompt = "\r\n" + prompt
	}
	text := strings.ReplaceAll(string(shown), "\t", "  ")
	_, err = io.WriteString(screen, prompt+text)
	return err
}

// publicNames replaces the addresses of the stand-ins by what they stand for, and times by what does
// not differ from run to run.
func (d *demo) publicNames() func(string) string {
	names := []string{d.files.URL(), "https://app.harness.io"}
	for from, to := range d.registry.Mirrors() {
		names = append(names, to, from)
	}
	replacer := strings.NewReplacer(append(names, d.target, "registry.example.com", d.buildkitd.Addr, "unix:///run/buildkit/buildkitd.sock")...)
	return func(line string) string {
		line = fractions.ReplaceAllString(replacer.Replace(line), "0.1s")
		return digests.ReplaceAllString(line, "$1…")
	}
}

// digests are shortened to what a reader can compare.
var digests = regexp.MustCompile(`(sha256:[0-9a-f]{12})[0-9a-f]+`)

// fractions are times of less than a second.
var fractions = regexp.MustCompile(`\b0\.[1-9]s\b`)
