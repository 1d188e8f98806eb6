package elf

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// FuzzMissing: whatever an image has as a program, a library and the configuration of the dynamic
// linker, there are sentences about it, or a mistake.
func FuzzMissing(f *testing.F) {
	for _, seed := range seeds(f) {
		f.Add(seed.program, seed.library, []byte("include ld.so.conf.d/*.conf\n/opt/lib # ours\n"))
	}
	f.Add([]byte(elf.ELFMAG), []byte("GROUP ( libgreet.so )"), []byte("include /etc/ld.so.conf\ninclude [\ninclude /*/*/*/*\n"))
	f.Fuzz(func(t *testing.T, program, library, config []byte) {
		files := fstest.MapFS{
			"bin/program": {Data: program}, "lib64/libgreet.so.1": {Data: library}, "usr/lib/libother.so": {Data: library},
			"etc/ld.so.conf": {Data: config}, "etc/ld.so.conf.d/a.conf": {Data: config},
		}
		l := Linker{Root: files, Arch: "amd64", Path: []string{"/opt/lib"}}
		problems, err := l.Missing("/bin/program")
		var mistake *ConfigError
		switch {
		case errors.As(err, &mistake) && !strings.Contains(err.Error(), "/etc/ld.so.conf"):
			t.Errorf("the mistake names no file: %v", err)
		case err != nil && (err.Error() == "" || len(problems) > 0):
			t.Errorf("%q, %v", problems, err)
		}
		for _, problem := range problems {
			if !strings.Contains(problem, " needs ") {
				t.Errorf("%q is no sentence", problem)
			}
		}
	})
}

// pair is a program with its library.
type pair struct{ program, library []byte }

// seeds are a program and its library as gcc makes them, and headers alone.
func seeds(f *testing.F) []pair {
	dir := f.TempDir()
	library(f, dir+"/libgreet.so.1", 2)
	compile(f, dir+"/program", "int greet2(void); int _start(void) { return greet2(); }", dir+"/libgreet.so.1", "-Wl,-rpath,$ORIGIN/../lib64:", "-Wl,-z,max-page-size=4096", "-s")
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			f.Fatal(err)
		}
		return data
	}
	program, lib := read("program"), read("libgreet.so.1")
	return []pair{{program, lib}, {lib, program}, {program, program}, {program[:len(program)/2], lib[:64]}}
}

// FuzzCheckProgram: a file that is taken for a program of a platform has its header.
func FuzzCheckProgram(f *testing.F) {
	for _, machine := range []elf.Machine{elf.EM_X86_64, elf.EM_AARCH64, elf.EM_386} {
		var head bytes.Buffer
		head.WriteString(elf.ELFMAG + "\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00")
		if err := binary.Write(&head, binary.LittleEndian, []uint16{uint16(elf.ET_EXEC), uint16(machine)}); err != nil {
			f.Fatal(err)
		}
		f.Add(head.Bytes(), "amd64")
		f.Add(head.Bytes()[:19], "arm64")
	}
	f.Add([]byte("#!/bin/sh\n"), "amd64")
	f.Add([]byte(nil), "")
	f.Fuzz(func(t *testing.T, head []byte, arch string) {
		err := CheckProgram(head, ocispecs.Platform{OS: "linux", Architecture: arch})
		switch {
		case err == nil && (len(head) < 20 || !bytes.HasPrefix(head, []byte(elf.ELFMAG))):
			t.Errorf("%q is a program", head)
		case err != nil && !strings.Contains(err.Error(), "expected "):
			t.Errorf("the mistake does not say what is right: %v", err)
		}
	})
}
