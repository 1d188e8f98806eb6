package builder

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/moby/buildkit/util/appdefaults"
	"github.com/moby/sys/userns"

	"github.com/samforge/samforge/internal/userfile"
)

// maxConfig is the maximum size in bytes of a buildkitd.toml.
const maxConfig = 1 << 20

// configured writes a buildkitd.toml for a private buildkitd and adds the flag that names it to the
// command line, if there is something to configure. The file adds to the one that buildkitd would
// read by itself. It is in the folder run, which is removed with the daemon.
func (o Options) configured(argv []string, t tools, run string) ([]string, error) {
	if text, err := o.Config.TOML(); text == "" && o.Config.File == "" || err != nil {
		return argv, err
	}
	before := cmp.Or(o.Config.File, o.defaultConfig(t))
	data, err := userfile.Read(before, maxConfig)
	if err != nil && (o.Config.File != "" || !errors.Is(err, fs.ErrNotExist)) {
		return nil, fmt.Errorf("read the configuration of the private buildkitd: %w", err)
	}
	text, err := o.Config.MergedInto(data)
	if err != nil {
		return nil, fmt.Errorf("read the configuration of the private buildkitd, %s: %w", before, err)
	}
	path := filepath.Join(run, "buildkitd.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return nil, fmt.Errorf("configure the private buildkitd: %w", err)
	}
	return append(argv, "--config", path), nil
}

// defaultConfig returns the path of the file that buildkitd reads without a flag, as
// isRootlessConfig of buildkitd decides:
// https://github.com/moby/buildkit/blob/v0.34.2/cmd/buildkitd/main.go#L640
func (o Options) defaultConfig(t tools) string {
	user := o.env("USER")
	dir := appdefaults.ConfigDir
	if (t.rootless || userns.RunningInUserNS()) && user != "" && user != "root" {
		switch {
		case o.env("XDG_CONFIG_HOME") != "":
			dir = filepath.Join(o.env("XDG_CONFIG_HOME"), "buildkit")
		case o.env("HOME") != "":
			dir = filepath.Join(o.env("HOME"), ".config", "buildkit")
		}
	}
	return filepath.Join(dir, "buildkitd.toml")
}
