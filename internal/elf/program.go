// Package elf checks the programs of an image: that they are for its platform, and that they find
// their shared libraries and symbol versions.
package elf

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"net/http"
	"strings"

	"github.com/containerd/platforms"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// machine returns the ELF machine of an architecture that images are built for.
func machine(arch string) elf.Machine {
	if arch == "arm64" {
		return elf.EM_AARCH64
	}
	return elf.EM_X86_64
}

// CheckProgram returns an error unless a file that begins with head is a program for the platform,
// by the ELF header: https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html
func CheckProgram(head []byte, platform ocispecs.Platform) error {
	const machineOffset = 18
	if !bytes.HasPrefix(head, []byte(elf.ELFMAG)) || len(head) < machineOffset+2 {
		kind, _, _ := strings.Cut(http.DetectContentType(head), ";")
		return fmt.Errorf("is not a program but %s: expected an ELF executable for %s", kind, platforms.Format(platform))
	}
	order := binary.ByteOrder(binary.LittleEndian)
	if elf.Data(head[elf.EI_DATA]) == elf.ELFDATA2MSB {
		order = binary.BigEndian
	}
	got := elf.Machine(order.Uint16(head[machineOffset:]))
	if want := machine(platform.Architecture); got != want {
		return fmt.Errorf("is a program for another machine (%s): expected %s for %s", got, want, platforms.Format(platform))
	}
	return nil
}
