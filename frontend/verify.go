package frontend

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/frontend/gateway/client"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/llbgen"
)

// verify builds a layer and makes sure that its programs are ones of the
// platform. A layer that lacks a file fails here, by its source and the file's
// path.
func (c *checks) verify(ctx context.Context, layer *llbgen.Layer) error {
	ref, err := c.solve(ctx, layer.State, true)
	if err != nil {
		return c.plan.At(layer.Field, explainLayer(layer, err))
	}
	if len(layer.Executables) == 0 {
		return nil
	}
	name := "programs " + strings.Join(layer.Executables, " ")
	return c.once(ctx, name, func() (bool, error) {
		for _, path := range layer.Executables {
			head, err := ref.ReadFile(ctx, client.ReadRequest{Filename: path, Range: &client.FileRange{Length: 512}})
			if err != nil {
				return false, c.plan.At(layer.Field, fmt.Errorf("%s: read %s: %w", layer.Source, path, err))
			}
			if err := CheckProgram(head, c.platform); err != nil {
				return false, c.plan.At(layer.Field, fmt.Errorf("%s: %s %w", layer.Source, path, err))
			}
		}
		return true, nil
	}, layer.State)
}

// machine is the ELF machine of an architecture that images are built for.
func machine(arch string) elf.Machine {
	if arch == "arm64" {
		return elf.EM_AARCH64
	}
	return elf.EM_X86_64
}

// CheckProgram returns an error unless a file that begins with head is a program for the
// platform, by the ELF header: https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html
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

// digestMismatch finds the sum of the file and the expected one in BuildKit's
// error.
var digestMismatch = regexp.MustCompile(`digest mismatch .*?sha256:([a-f0-9]{64}).*?sha256:([a-f0-9]{64})`)

// missingFile finds the path in BuildKit's error about a copy without a source.
var missingFile = regexp.MustCompile(`"?(/[^":]+)"?: (?:not found|no such file or directory)`)

// explainLayer says in the user's terms why a layer could not be built.
func explainLayer(layer *llbgen.Layer, err error) error {
	text := err.Error()
	if sums := digestMismatch.FindStringSubmatch(text); sums != nil {
		return fmt.Errorf("%s: the file has the SHA-256 sum %s, expected %s: if it is the right file, correct the sum in the build file, or run samforge lock --update: %w", layer.Source, sums[1], sums[2], err)
	}
	if file := missingFile.FindStringSubmatch(text); file != nil {
		return fmt.Errorf("%s has no %s, which the image needs: is it the right image? %w", layer.Source, file[1], err)
	}
	return fmt.Errorf("%s: %w", layer.Source, err)
}
