package main

import (
	"bytes"
	"context"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/samforge/samforge/integration/testenv"
)

// samforge runs samforge as a user would, prints the command without the hidden flags, and prints
// and returns the command's output.
func samforge(ctx context.Context, args, hidden []string) (string, error) {
	program, err := testenv.Tool("samforge")
	if err != nil {
		return "", err
	}
	fmt.Printf("$ samforge %s\n", strings.Join(args, " "))
	cmd := exec.CommandContext(ctx, program, append(args[:len(args):len(args)], hidden...)...)
	var stdout bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("samforge %s: %w", args[0], err)
	}
	fmt.Println(stdout.String())
	return stdout.String(), nil
}

// build builds and pushes an example, and returns a line for each image.
func (d *demo) build(ctx context.Context, e example) ([]string, error) {
	args := []string{"build", "-f", e.file, "--platform", e.platforms, "--repo", d.registry.Addr + "/ci/plugin", "--push"}
	begin := time.Now()
	images, err := samforge(ctx, args, append(d.mirrors(), "--builder", d.buildkitd.Addr, "--progress", "quiet"))
	if err != nil {
		return nil, err
	}
	fmt.Printf("pushed in %.2f s\n\n", time.Since(begin).Seconds())
	return strings.Fields(images), nil
}

// pulled prints what was fetched from the repository of each image. A layer that several images
// share is fetched from one of them.
func (d *demo) pulled(ctx context.Context) error {
	if d.real {
		return nil
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "PULLED FROM\tLAYERS\tMB\tOF MB")
	for _, image := range d.images {
		all, err := d.registry.ImageLayers(ctx, image)
		if err != nil {
			return err
		}
		var total int64
		for _, size := range all {
			total += size
		}
		ref, err := d.registry.Ref(image)
		if err != nil {
			return err
		}
		repository := strings.TrimPrefix(ref[:strings.LastIndexByte(ref, ':')], d.registry.Addr+"/")
		layers, size := 0, int64(0)
		for _, p := range d.registry.Pulls() {
			if _, its := all[p.Digest]; its && p.Repository == repository {
				layers++
				size += p.Bytes
			}
		}
		fmt.Fprintf(table, "%s\t%d\t%.1f\t%.1f\n", image, layers, megabytes(size), megabytes(total))
	}
	fmt.Fprintln(table)
	return table.Flush()
}

func megabytes(n int64) float64 { return float64(n) / (1 << 20) }

// What the images must have on top of their bases.
var (
	samPrograms        = []string{"/opt/harness/bin/harness-sam-plugin", "/opt/harness/client-tools/go-template", "/usr/local/bin/docker"}
	serverlessPrograms = []string{"/opt/harness/bin/harness-serverless-plugin", "/opt/harness/client-tools/go-template", "/usr/local/bin/docker", "/var/lang/bin/node"}
)

// inspect reads a pushed image back and checks its content. For the index of a multi-platform image
// it checks the members.
func (d *demo) inspect(ctx context.Context, line string, programs []string) error {
	ref, _, _ := strings.Cut(line, "@")
	arch := ref[strings.LastIndexByte(ref, '-')+1:]
	if arch != "amd64" && arch != "arm64" {
		return nil
	}
	image, err := d.registry.ReadImage(ctx, line, "linux/"+arch)
	if err != nil {
		return err
	}
	fmt.Printf("%s\n  entrypoint %q, command %q, %d layers\n", ref, image.Config.Entrypoint, image.Config.Cmd, len(image.Layers))
	if len(image.Config.Cmd) != 0 || len(image.Config.Entrypoint) != 1 {
		return fmt.Errorf("%s: the entrypoint or the command is not what it should be", ref)
	}
	if script := image.Config.Entrypoint[0]; image.Files[script].Mode != 0o755 {
		return fmt.Errorf("%s: the entrypoint %s is not an executable file", ref, script)
	}
	for _, program := range programs {
		machine, err := machineOf(image, program)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", ref, program, err)
		}
		want := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[arch]
		fmt.Printf("  %-40s %o  %s\n", program, image.Files[program].Mode, machine)
		if machine != want || image.Files[program].Mode != 0o755 {
			return fmt.Errorf("%s: %s is not an executable for %s", ref, program, arch)
		}
	}
	return nil
}

func machineOf(image *testenv.Inspected, path string) (elf.Machine, error) {
	data, err := image.ReadFile(path)
	if err != nil {
		return 0, err
	}
	program, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return 0, err
	}
	return program.Machine, nil
}
