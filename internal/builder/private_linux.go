package builder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/samforge/samforge/internal/printer"
	"github.com/samforge/samforge/internal/programs"
	"github.com/samforge/samforge/internal/rootless"
)

// startTimeout limits the start of a private buildkitd, which takes a few tenths of a second on an
// idle machine.
const startTimeout = 30 * time.Second

// startPrivate starts our own buildkitd. It keeps the state in the user's cache directory for the
// next time. The socket is in a new directory that only the user can enter.
func startPrivate(ctx context.Context, opt Options) (_ *Builder, err error) {
	if !keeps {
		return nil, errors.New("this program starts no buildkitd: its main does not call builder.Keeper")
	}
	t, err := opt.findTools(os.Geteuid() != 0)
	if err != nil {
		return nil, err
	}
	if err := opt.checkContainer(t); err != nil {
		return nil, err
	}
	if t.oneID != nil {
		opt.log("WARNING: %s: the private buildkitd has a user namespace with one id, which can run steps only as root and unpack only images whose files are root's (samforge doctor says how to change that)", t.oneID.Sentence)
	}
	d := &daemon{secrets: printer.FromContext(ctx), exited: make(chan struct{})}
	defer func() {
		if err != nil {
			d.stop()
		}
	}()
	if d.state, err = opt.lockedState(t.stateName()); err != nil {
		return nil, err
	}
	if d.run, err = d.state.runDir(); err != nil {
		return nil, err
	}
	if t.runc == "" {
		opt.log("runc is neither beside samforge nor on PATH: images that run nothing (SAM) can be built, others cannot")
		if t.runc, err = writeNoRunc(d.run); err != nil {
			return nil, err
		}
	}
	if t.oneID != nil {
		if t.runc, err = writeOneIDRunc(d.run, t.runc); err != nil {
			return nil, err
		}
	}
	argv := t.command(d.state.dir, d.run)
	if argv, err = opt.configured(argv, t, d.run); err != nil {
		return nil, err
	}
	opt.log("starting a private buildkitd, state in %s", d.state.dir)
	if err := d.start(argv, opt.daemonEnv(t, d.run), t.oneID != nil); err != nil {
		return nil, fmt.Errorf("start %s: %w", argv[0], err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("it did not answer within %s", startTimeout))
	defer cancel()
	b, err := d.connect(ctx)
	if err != nil {
		return nil, d.startError(err)
	}
	b.oneID = t.oneID
	return b, nil
}

// checkContainer returns an error if this container lacks what a buildkitd needs and would only miss
// in the middle of a build.
func (o Options) checkContainer(t tools) error {
	if !t.rootless && !rootless.This().Status().Effective.Has(rootless.CapSysAdmin) {
		return errors.New("root may not mount here, as the container has no CAP_SYS_ADMIN: run as a normal user, in a user namespace (docker run: --user 1000:1000; Kubernetes: runAsUser: 1000 and runAsGroup: 1000; `samforge doctor` says what else), or name a buildkitd with --builder")
	}
	folders := []string{o.tempDir()}
	if t.rootlesskit != "" {
		folders = append(folders, "/tmp") // whatever TMPDIR is
	}
	for _, folder := range folders {
		if err := unix.Access(folder, unix.W_OK|unix.X_OK); err != nil {
			return fmt.Errorf("temporary files cannot be written to %s (%w): give the container a volume there (docker run: --tmpfs %[1]s; Kubernetes: an emptyDir with mountPath: %[1]s), or name a buildkitd with --builder", folder, err)
		}
	}
	return nil
}

// connect returns a Builder as soon as the daemon answers.
func (d *daemon) connect(ctx context.Context) (*Builder, error) {
	if err := d.waitSocket(ctx); err != nil {
		return nil, err
	}
	b, err := connect(ctx, d.address(), TLS{}, startTimeout)
	if err != nil {
		return nil, err
	}
	b.Kind, b.daemon = Private, d
	return b, nil
}

// tools are the programs that a private buildkitd needs.
type tools struct {
	buildkitd   string
	runc        string // empty if it is not installed
	rootless    bool
	rootlesskit string           // empty if it is not needed
	oneID       *rootless.Reason // why the user namespace has one id; nil when running as root
	path        string           // PATH, with our own directory in front
}

// findTools looks beside our own binary first, then in the absolute folders of PATH.
func (o Options) findTools(withoutRoot bool) (tools, error) {
	dirs := programs.Folders(o.env("PATH"))
	find := func(name string) string { return programs.Find(name, dirs) }
	t := tools{
		buildkitd: find("buildkitd"),
		runc:      cmp.Or(find("buildkit-runc"), find("runc")),
		path:      strings.Join(dirs, string(os.PathListSeparator)),
	}
	if t.buildkitd == "" {
		return t, errors.New("buildkitd is neither beside samforge nor on PATH")
	}
	if !withoutRoot {
		return t, nil
	}
	t.rootless = true
	helpers := rootless.Helpers{RootlessKit: find("rootlesskit"), NewUIDMap: find("newuidmap"), NewGIDMap: find("newgidmap")}
	if t.oneID = rootless.This().OneID(helpers); t.oneID == nil {
		t.rootlesskit = helpers.RootlessKit
	}
	return t, nil
}

// stateName returns the name of the state folder. Where there is one id, nobody could remove the
// files of the other ids, so the two sorts of buildkitd share no state.
func (t tools) stateName() string {
	if t.oneID != nil {
		return "buildkitd-one-id"
	}
	return "buildkitd"
}

// command returns the command line of a buildkitd with its state in one directory and its sockets
// in another. Build steps use the host's network: CNI may not be installed, and rootless there is
// nothing else.
func (t tools) command(state, run string) []string {
	argv := []string{
		t.buildkitd,
		"--root", state,
		"--addr", "unix://" + filepath.Join(run, "buildkitd.sock"),
		"--otel-socket-path", filepath.Join(run, "otel.sock"), // all daemons share the default one
		"--oci-worker=true",
		"--oci-worker-net", "host",
		"--oci-worker-binary", t.runc,
		"--containerd-worker=false",
	}
	if !t.rootless {
		return argv
	}
	// Without the process sandbox it also works in an unprivileged container, which cannot mount
	// /proc again.
	argv = append(argv, "--oci-worker-no-process-sandbox")
	if t.oneID != nil {
		return argv // the keeper makes the user namespace
	}
	return append([]string{t.rootlesskit, "--net=host", "--state-dir", filepath.Join(run, "rootlesskit")}, argv...)
}

// daemonVariables are the only environment variables that a private buildkitd gets from us: those
// that say how to reach the network and where things are. The others belong to the CI step and are
// often secret.
var daemonVariables = []string{
	"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "FTP_PROXY", "NO_PROXY",
	"http_proxy", "https_proxy", "all_proxy", "ftp_proxy", "no_proxy",
	"SSL_CERT_FILE", "SSL_CERT_DIR",
	"HOME", "USER", "LOGNAME", "TZ", "XDG_CONFIG_HOME",
	"GODEBUG", "GOGC", "GOMAXPROCS", "GOMEMLIMIT",
	"BUILDKIT_STEP_LOG_MAX_SIZE", "BUILDKIT_STEP_LOG_MAX_SPEED",
}

// daemonEnv returns the environment of a private buildkitd with its sockets in run.
func (o Options) daemonEnv(t tools, run string) []string {
	// What buildkitd leaves in its TMPDIR, such as a folder for each socket of an SSH agent, ends with it.
	env := []string{"PATH=" + t.path, "TMPDIR=" + run}
	for _, name := range daemonVariables {
		if value := o.env(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	if t.rootless {
		// runc keeps its containers' state here; without the variable it would use /run, which is
		// root's.
		env = append(env, "XDG_RUNTIME_DIR="+run)
	}
	return env
}

// writeNoRunc writes a program in place of runc that says what is missing. buildkitd does not start
// without a runc, but runs it only for build steps that execute something.
func writeNoRunc(dir string) (string, error) {
	file := filepath.Join(dir, "runc")
	script := "#!/bin/sh\necho 'this build step needs runc, which is neither beside samforge nor on PATH: install runc and run the build again' >&2\nexit 1\n"
	if err := os.WriteFile(file, []byte(script), 0o755); err != nil {
		return "", fmt.Errorf("write a stand-in for runc: %w", err)
	}
	return file, nil
}
