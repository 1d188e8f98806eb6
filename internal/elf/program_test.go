package elf

import (
	"debug/elf"
	"strings"
	"testing"

	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// header is the beginning of an ELF file.
func header(data elf.Data, low, high byte) []byte {
	h := make([]byte, 20)
	copy(h, elf.ELFMAG)
	h[elf.EI_DATA] = byte(data)
	h[18], h[19] = low, high
	return h
}

func TestCheckELF(t *testing.T) {
	t.Parallel()
	amd64 := ocispecs.Platform{OS: "linux", Architecture: "amd64"}
	arm64 := ocispecs.Platform{OS: "linux", Architecture: "arm64"}
	for name, c := range map[string]struct {
		head     []byte
		platform ocispecs.Platform
		want     string // part of the error; empty: none
	}{
		"a program for the platform":     {header(elf.ELFDATA2LSB, byte(elf.EM_X86_64), 0), amd64, ""},
		"an arm64 program for arm64":     {header(elf.ELFDATA2LSB, byte(elf.EM_AARCH64), 0), arm64, ""},
		"a program for another platform": {header(elf.ELFDATA2LSB, byte(elf.EM_X86_64), 0), arm64, "another machine (EM_X86_64): expected EM_AARCH64 for linux/arm64"},
		"a big-endian program":           {header(elf.ELFDATA2MSB, 0, byte(elf.EM_S390)), amd64, "another machine (EM_S390)"},
		"a web page":                     {[]byte("<!DOCTYPE html><html>"), amd64, "not a program but text/html"},
		"an error message":               {[]byte("Not Found"), amd64, "not a program but text/plain"},
		"an empty file":                  {nil, amd64, "not a program but text/plain"},
		"a file cut off after its magic": {[]byte(elf.ELFMAG), amd64, "not a program"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := CheckProgram(c.head, c.platform)
			if c.want == "" && err != nil {
				t.Error(err)
			}
			if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("the error is %v, want one that says %q", err, c.want)
			}
		})
	}
}
