package builder

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// inOneIDNamespace makes a process start in a user namespace where root is the user who starts it,
// and in which there is nobody else. The kernel allows that to everybody, without newuidmap and
// subordinate ids: see user_namespaces(7). The mount namespace lets buildkitd mount.
func inOneIDNamespace(attr *syscall.SysProcAttr) {
	attr.Cloneflags |= syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS
	attr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}}
	attr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}}
}

// oneIDRuncName is argv[0] of a samforge that stands in for runc.
const oneIDRuncName = "samforge-runc"

// writeOneIDRunc returns the path of a program to use in place of runc where there is one id: a
// link to this program, beside a link to the real runc.
//
// BuildKit gives terminals to the group 5 (tty), as the option gid=5 of /dev/pts. Without such a
// group the kernel refuses to mount it, so the option is removed before runc reads it. Steps of a
// build have no terminal.
func writeOneIDRunc(dir, runc string) (string, error) {
	exe, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	stand := filepath.Join(dir, oneIDRuncName)
	for link, target := range map[string]string{stand: exe, realRunc(stand): runc} {
		if err := os.Symlink(target, link); err != nil {
			return "", fmt.Errorf("put a program in place of runc: %w", err)
		}
	}
	return stand, nil
}

// realRunc returns the path of the runc that a program from writeOneIDRunc runs.
func realRunc(stand string) string { return stand + "-real" }

// oneIDRunc becomes the real runc after it has removed the options of groups from the bundle. It
// returns only if that fails.
func oneIDRunc(argv []string) error {
	if i := slices.Index(argv, "--bundle"); i > 0 && i+1 < len(argv) {
		if err := editSpec(filepath.Join(argv[i+1], "config.json")); err != nil {
			return fmt.Errorf("change the options of /dev/pts: %w", err)
		}
	}
	runc := realRunc(argv[0])
	return fmt.Errorf("run %s: %w", runc, syscall.Exec(runc, argv, os.Environ()))
}

// editSpec removes the group from the mount of /dev/pts in the config.json of a bundle, and leaves
// everything else as it is.
func editSpec(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var spec map[string]any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&spec); err != nil {
		return err
	}
	mounts, _ := spec["mounts"].([]any)
	for _, m := range mounts {
		mount, _ := m.(map[string]any)
		if options, ok := mount["options"].([]any); ok && mount["type"] == "devpts" {
			mount["options"] = slices.DeleteFunc(options, func(o any) bool {
				option, _ := o.(string)
				return strings.HasPrefix(option, "gid=")
			})
		}
	}
	if text, err = json.Marshal(spec); err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}
