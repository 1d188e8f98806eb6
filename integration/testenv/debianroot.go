// Debian root file systems and packages, from the mirror of this machine.

package testenv

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// DebianRoot returns the root file system of a minimal Debian (bookworm, bullseye, trixie) for
// amd64 with the packages as one layer, without devices, documentation, and the leftovers of apt
// and the build. The bytes are the same whenever the mirror has the same packages. debootstrap
// makes it once, which needs root and takes a minute; then it is kept in the user's cache
// directory.
func DebianRoot(ctx context.Context, release string, packages ...string) (Layer, error) {
	packages = slices.Sorted(slices.Values(packages))
	made, err := keptLayer(ctx, "debianroot", append([]string{"2", release}, packages...), func(out io.Writer) error {
		dir, err := newWorkDir()
		if err != nil {
			return err
		}
		defer dir.remove()
		if err := debootstrap(ctx, dir, release, packages); err != nil {
			return err
		}
		return archiveRoot(ctx, out, dir.join("root"))
	})
	if err != nil {
		return Layer{}, fmt.Errorf("making the root file system of Debian %s: %w", release, err)
	}
	return made, nil
}

// debootstrap runs debootstrap for dir/root.
func debootstrap(ctx context.Context, dir *workDir, release string, packages []string) error {
	if os.Geteuid() != 0 {
		return errors.New("debootstrap needs root: run this as root")
	}
	if _, err := exec.LookPath("debootstrap"); err != nil {
		return errors.New("debootstrap is missing: apt-get install debootstrap")
	}
	mirror, err := debianMirror()
	if err != nil {
		return err
	}
	args := []string{"--variant=minbase"}
	if len(packages) > 0 {
		args = append(args, "--include="+strings.Join(packages, ","))
	}
	// It runs in its own namespaces: debootstrap mounts /proc, and must leave neither that nor a
	// process behind when it is interrupted.
	cmd := exec.Command("unshare", append([]string{
		"--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc", "debootstrap",
	}, append(args, release, dir.join("root"), mirror)...)...)
	// The day of the last change in /etc/shadow comes from SOURCE_DATE_EPOCH.
	cmd.Env = append(os.Environ(), "TMPDIR="+dir.path, "LC_ALL=C", fmt.Sprintf("SOURCE_DATE_EPOCH=%d", epoch.Unix()))
	p, err := startProcess(cmd)
	if err != nil {
		return err
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		p.kill()
		return fmt.Errorf("debootstrap: %w", ctx.Err())
	}
	if p.err != nil {
		return fmt.Errorf("debootstrap: %w: %s", p.err, p.log)
	}
	return nil
}

// leftOut are the files that the builder, not Debian, has put there, those that only people read,
// and the devices, which a rootless buildkitd cannot unpack.
var leftOut = []string{
	"./dev/*", "./proc/*", "./sys/*", "./run/*", "./tmp/*",
	"./var/cache/apt/*.bin", "./var/cache/apt/archives/*", "./var/cache/ldconfig/*", "./var/cache/debconf/*-old",
	"./var/lib/apt/lists/*", "./var/lib/dpkg/*-old", "./var/log/*.log", "./var/log/apt/*", "./debootstrap",
	"./etc/resolv.conf", "./etc/hostname", "./etc/machine-id", "./etc/*-", "./etc/.pwd.lock",
	"./usr/share/doc/*", "./usr/share/man/*", "./usr/share/info/*", "./usr/share/locale/*",
	"__pycache__", // contains the times of its source files
}

// archiveRoot writes the tree below root as a tar file. Links stay as they are,
// such as /bin -> usr/bin.
func archiveRoot(ctx context.Context, out io.Writer, root string) error {
	args := []string{"--create", "--directory", root, "--format=gnu", "--numeric-owner", "--sort=name", fmt.Sprintf("--mtime=@%d", epoch.Unix())}
	for _, pattern := range leftOut {
		args = append(args, "--exclude="+pattern)
	}
	var problems strings.Builder
	cmd := exec.CommandContext(ctx, "tar", append(args, ".")...)
	cmd.Stdout, cmd.Stderr = out, &problems
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("tar: %w: %s", err, problems.String())
	}
	return nil
}

// debianPackages downloads packages for arch and their dependencies into dir. apt-get verifies them
// with the machine's Debian keys, as it does for itself, but in its own state in which nothing is
// installed.
func debianPackages(ctx context.Context, dir *workDir, release, arch string, packages ...string) ([]string, error) {
	for _, sub := range []string{"state/lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(dir.join(sub), 0o755); err != nil {
			return nil, err
		}
	}
	mirror, err := debianMirror()
	if err != nil {
		return nil, err
	}
	signedBy := ""
	if keys := "/usr/share/keyrings/debian-archive-keyring.gpg"; exists(keys) {
		signedBy = "[signed-by=" + keys + "] "
	}
	source := fmt.Sprintf("deb %s%s %s main\n", signedBy, mirror, release)
	if err := os.WriteFile(dir.join("sources.list"), []byte(source), 0o644); err != nil {
		return nil, err
	}
	if err := os.WriteFile(dir.join("status"), nil, 0o644); err != nil {
		return nil, err
	}
	config := fmt.Sprintf(`Dir::State %q; Dir::State::status %q; Dir::Cache %q;
Dir::Etc::sourcelist %q; Dir::Etc::sourceparts "-"; Dir::Etc::preferencesparts "-";
APT::Architecture %q; #clear APT::Architectures; APT::Architectures { %q; };
APT::Sandbox::User "root"; APT::Install-Recommends "false"; Acquire::Languages "none";
#clear DPkg::Post-Invoke; #clear APT::Update::Post-Invoke; #clear APT::Update::Post-Invoke-Success;
`, dir.join("state"), dir.join("status"), dir.join("cache"), dir.join("sources.list"), arch, arch)
	if err := os.WriteFile(dir.join("apt.conf"), []byte(config), 0o644); err != nil {
		return nil, err
	}
	for _, args := range [][]string{{"update"}, append([]string{"install", "--download-only", "--yes"}, packages...)} {
		cmd := exec.CommandContext(ctx, "apt-get", append([]string{"--config-file", dir.join("apt.conf"), "--quiet"}, args...)...)
		cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
		if output, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("apt-get %s: %w: %s", args[0], err, output)
		}
	}
	return filepath.Glob(dir.join("cache/archives/*.deb"))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// eachFile calls f with every entry of a Debian package; content is valid during
// the call.
func eachFile(ctx context.Context, deb string, f func(header *tar.Header, content io.Reader) error) error {
	cmd := exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", deb)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("unpacking %s: %w", filepath.Base(deb), err)
	}
	err = eachEntry(out, f)
	_, _ = io.Copy(io.Discard, out)
	if waitErr := cmd.Wait(); err == nil {
		err = waitErr
	}
	if err != nil {
		return fmt.Errorf("unpacking %s: %w", filepath.Base(deb), err)
	}
	return nil
}

func eachEntry(archive io.Reader, f func(header *tar.Header, content io.Reader) error) error {
	entries := tar.NewReader(archive)
	for {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = f(header, entries)
		}
		if err != nil {
			return err
		}
	}
}
