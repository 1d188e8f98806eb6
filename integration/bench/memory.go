package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/samforge/samforge/integration/testenv"
)

const maxMemory = 150 << 20

// memory is the section on the memory of the samforge process itself: the peak of its resident set,
// for one image and for many.
func (b *bench) memory(ctx context.Context) error {
	bases, err := b.manyBases(ctx)
	if err != nil {
		return err
	}
	var rows [][]string
	var peak int64
	for _, n := range []int{1, len(bases)} {
		file, err := b.buildFile(fmt.Sprintf("memory-%d.yaml", n), bases[:n])
		if err != nil {
			return err
		}
		err = b.onFreshBuildkitd(ctx, testenv.BuildkitdOptions{}, func(d *testenv.Buildkitd) error {
			built, rss, err := b.measured(ctx, b.buildArgs(d.Addr, b.repo("memory-%d", n), "-f", file))
			if err != nil {
				return err
			}
			if pushed := len(strings.Fields(built.stdout)); pushed != n {
				return fmt.Errorf("samforge printed %d images, not %d", pushed, n)
			}
			peak = rss
			rows = append(rows, []string{megabytes(rss), seconds(built.wall), fmt.Sprintf("images in one command: %d", n)})
			return nil
		})
		if err != nil {
			return err
		}
		b.say("memory: %s", strings.Join(rows[len(rows)-1], "  "))
	}
	printTable("Memory", "The samforge process itself, cold, pushed; tiny base images, several SAM versions of each runtime.",
		[]string{"PEAK RSS MB", "WALL", ""}, rows)
	b.claim(peak < maxMemory, fmt.Sprintf("samforge takes less than %d MB for %d images", maxMemory>>20, len(bases)), megabytes(peak)+" MB")
	return nil
}

// manyBases publishes 64 base images of one small layer: 16 runtimes, each with
// 4 versions of SAM.
func (b *bench) manyBases(ctx context.Context) ([]string, error) {
	runtimes := append(matrixRuntimes(), "nodejs20.x", "python3.14", "python3.11", "java17", "ruby3.3", "dotnet10", "dotnet9", "dotnet8")
	var bases []string
	for _, name := range runtimes {
		for minor := 140; minor < 144; minor++ {
			base := fmt.Sprintf("public.ecr.aws/sam/build-%s:1.%d.0-20250801000000-x86_64", name, minor)
			image, err := testenv.Image(testenv.ImageOptions{
				Arch:    "amd64",
				Config:  v1.Config{Env: []string{"PATH=/usr/bin:/bin"}, Cmd: []string{"/bin/bash"}},
				Layers:  []testenv.Layer{{Files: []testenv.File{{Path: "/etc/base", Data: []byte(base + "\n")}}}},
				History: []string{"COPY base /etc/base # buildkit"},
			})
			if err != nil {
				return nil, err
			}
			if _, err := b.registry.Push(base, image); err != nil {
				return nil, err
			}
			bases = append(bases, base)
		}
	}
	return bases, nil
}

// measureVerb makes this program run another one and record the memory that it took. A process
// inherits the peak of the process that forked it (see setmax_mm_hiwater_rss in Linux's fs/exec.c),
// so a small process has to fork it.
const measureVerb = "measure-child"

// measured runs samforge and returns the peak of its resident set in bytes.
func (b *bench) measured(ctx context.Context, args []string) (result, int64, error) {
	self, err := os.Executable()
	if err != nil {
		return result{}, 0, err
	}
	file := filepath.Join(b.dir, "peak")
	r, err := b.command(ctx, nil, self, append([]string{measureVerb, file, b.samforge}, args...)...)
	if err != nil {
		return r, 0, err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return r, 0, err
	}
	kilobytes, err := strconv.ParseInt(string(data), 10, 64)
	return r, kilobytes << 10, err
}

// measureChild runs a program, writes its peak in kilobytes to a file and
// returns its exit code.
func measureChild(file string, command []string) int {
	runtime.LockOSThread() // the kernel sends the death signal when the thread that forks ends
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return 1
	}
	if err := os.WriteFile(file, []byte(strconv.FormatInt(usage.Maxrss, 10)), 0o600); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
