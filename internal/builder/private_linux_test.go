package builder

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/samforge/samforge/integration/testenv"
)

func TestPrivateStartsAndStops(t *testing.T) {
	opt := privateOptions(t)
	for _, try := range []string{"first start", "uses the state of the first"} {
		begin := time.Now()
		b, err := Find(t.Context(), opt)
		if err != nil {
			t.Fatal(err)
		}
		ready, d := time.Since(begin), b.daemon
		if b.Kind != Private || len(b.Workers) != 1 {
			t.Errorf("found %s with %d workers", b, len(b.Workers))
		}
		if group, err := syscall.Getpgid(d.cmd.Process.Pid); group != d.cmd.Process.Pid {
			t.Errorf("it is in process group %d (%v), where Ctrl-C would reach it", group, err)
		}
		begin = time.Now()
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		t.Logf("%s: ready in %s, stopped in %s", try, ready, time.Since(begin))
		if _, err := os.Stat(d.run); !os.IsNotExist(err) {
			t.Errorf("its sockets are left in %s", d.run)
		}
		waitNoProcess(t, d.run)
	}
}

func TestPrivateStopsThoughItsKeeperWasStopped(t *testing.T) {
	b := startForTest(t)
	for _, pid := range []int{b.daemon.cmd.Process.Pid, -b.daemon.cmd.Process.Pid} { // the keeper, its process group
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	waitNoProcess(t, b.daemon.run)
}

func TestTwoPrivateAtOnceHaveTheirOwnState(t *testing.T) {
	opt := privateOptions(t)
	first, err := Find(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	second, err := Find(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	second.Close()
	if a, b := filepath.Base(first.daemon.state.dir), filepath.Base(second.daemon.state.dir); a != "buildkitd" || b != "buildkitd-2" {
		t.Errorf("state in %s and %s", a, b)
	}
}

func TestPrivateWithoutRuncBuildsWhatRunsNothing(t *testing.T) {
	opt := privateOptions(t)
	bin := t.TempDir() // no runc; on PATH nothing at all
	if err := os.Symlink(toolsDir(t)+"/buildkitd", bin+"/buildkitd"); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() != 0 {
		t.Skip("rootlesskit looks for its helpers on PATH; covered as root")
	}
	var told []string
	opt.Env = environment(map[string]string{"PATH": bin, "XDG_CACHE_HOME": cacheHome(t)})
	opt.Log = func(s string) { told = append(told, s) }
	b, err := Find(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	var shown bytes.Buffer
	d, _ := NewDisplay(&shown, "plain")
	results := b.Run(t.Context(), sleepSession(t), []Job{stateJob("files", fileState("a")), sleepJob("exec", "1ms")}, d)
	if results[0].Err != nil {
		t.Errorf("a build that runs nothing: %v", results[0].Err)
	}
	if err := results[1].Err; err == nil || !strings.Contains(shown.String(), "this build step needs runc") {
		t.Errorf("a build that runs something: %v\n%s", err, shown.String())
	}
	if len(told) == 0 || !strings.HasPrefix(told[0], "runc is neither beside samforge nor on PATH") {
		t.Errorf("told %q", told)
	}
}

func TestPrivateThatDiesAtStartIsQuoted(t *testing.T) {
	opt := privateOptions(t)
	bin := t.TempDir()
	writeFile(t, bin+"/buildkitd", "#!/bin/sh\necho starting\necho 'buildkitd: overlay is not for you'\nexit 1\n")
	if err := os.Chmod(bin+"/buildkitd", 0o755); err != nil {
		t.Fatal(err)
	}
	opt.Env = environment(map[string]string{"PATH": bin + ":" + toolsDir(t) + ":" + os.Getenv("PATH"), "XDG_CACHE_HOME": cacheHome(t)})
	_, err := Find(t.Context(), opt)
	if err == nil || !strings.Contains(err.Error(), "it ended: exit status 1; the end of its log") || !strings.Contains(err.Error(), "overlay is not for you") {
		t.Errorf("got %v", err)
	}
}

func TestRootlessSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	bin := t.TempDir()
	add := func(name string) {
		writeFile(t, bin+"/"+name, "")
		if err := os.Chmod(bin+"/"+name, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct{ have, missing string }{
		{"runc", "buildkitd is neither"},
		{"buildkitd", "rootlesskit is neither beside samforge nor on PATH"},
		{"rootlesskit", "newuidmap is neither"},
		{"newuidmap", "newgidmap is neither"},
	} {
		add(tc.have)
		tools, err := Options{Env: environment(map[string]string{"PATH": bin})}.findTools(true)
		var said string
		if err != nil {
			said = err.Error()
		} else if tools.oneID != nil && tools.rootlesskit == "" {
			said = tools.oneID.Sentence
		}
		if !strings.Contains(said, tc.missing) {
			t.Errorf("with %s: got %q, want %s", tc.have, said, tc.missing)
		}
	}
}

func TestKilledLeavesNothingBehind(t *testing.T) {
	for _, victim := range []string{"samforge", "keeper", "buildkitd", "keeper and buildkitd"} {
		t.Run(victim+" as root", func(t *testing.T) {
			if os.Geteuid() != 0 {
				t.Skip("not root")
			}
			killed(t, victim, nil)
		})
		t.Run(victim+" rootless", func(t *testing.T) {
			killed(t, victim, subIDUser(t))
		})
		// A user with subordinate ids that may not be used has a namespace with one id.
		t.Run(victim+" with one id", func(t *testing.T) {
			killed(t, victim, subIDUser(t), "setpriv", "--no-new-privs")
		})
	}
}

// killed starts a child samforge, as another user if one is given, kills the victim in the middle
// of a build step, and waits until everything that was started is gone.
func killed(t *testing.T, victim string, user *syscall.Credential, under ...string) {
	child, report, said := startChild(t, user, under...)
	if report.OneID != (len(under) > 0) {
		t.Errorf("one id: %t", report.OneID)
	}
	if victim != "samforge" {
		waitDaemonMounts(t, report)
	}
	switch victim {
	case "samforge":
		_ = child.Process.Kill()
	case "keeper":
		_ = syscall.Kill(report.PID, syscall.SIGKILL)
	case "buildkitd":
		for _, pid := range processIDs(t, "buildkitd\x00--root\x00"+report.State) {
			if id, _ := strconv.Atoi(pid); id != report.PID {
				_ = syscall.Kill(id, syscall.SIGKILL)
			}
		}
	case "keeper and buildkitd":
		_ = syscall.Kill(-report.PID, syscall.SIGKILL)
	}
	begin := time.Now()
	if victim != "samforge" {
		rest := said()
		t.Logf("said %s after the kill: %s", time.Since(begin), rest)
		if !strings.Contains(rest, "ended: the private buildkitd at unix://"+report.Run+"/buildkitd.sock ended while it was building") {
			t.Errorf("the child did not notice:\n%s", rest)
		}
	}
	waitNoProcess(t, report.Run)
	waitNoProcess(t, "/sleep\x00"+aLongTime(os.Getpid()))
	if mounts, _ := os.ReadFile("/proc/self/mounts"); strings.Contains(string(mounts), report.State) {
		t.Errorf("mounts are left:\n%s", mounts)
	}
	if _, err := os.Stat(report.Run); !os.IsNotExist(err) {
		t.Errorf("%s is left (%v)", report.Run, err)
	}
	t.Logf("all gone %s after the kill", time.Since(begin))
}

// startChild starts a child samforge, under another program if one is given, whose build step
// sleeps. It returns the child's report, and a
// function that waits for its end and returns its later output.
func startChild(t *testing.T, user *syscall.Credential, under ...string) (*exec.Cmd, childReport, func() string) {
	t.Helper()
	bin, cache := publicTools(t), cacheHome(t)
	if user != nil {
		if err := os.Chown(cache, int(user.Uid), int(user.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	argv := append(under, filepath.Join(bin, "samforge"))
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = "/"
	cmd.Env = []string{childEnv + "=" + sleepDir(t), "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + cache}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: user}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	var report childReport
	var said []string
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		said = append(said, lines.Text())
		_ = json.Unmarshal(lines.Bytes(), &report)
		if strings.Contains(lines.Text(), "sleeping for") {
			break
		}
	}
	if report.PID == 0 || len(processes(t, report.Run)) == 0 || !strings.Contains(said[len(said)-1], "sleeping for") {
		t.Fatalf("the child said:\n%s", strings.Join(said, "\n"))
	}
	return cmd, report, func() string {
		var rest strings.Builder
		for lines.Scan() {
			rest.WriteString(lines.Text() + "\n")
		}
		return rest.String()
	}
}

// waitDaemonMounts fails unless the running step's file system is mounted in one of the daemon's
// namespaces.
func waitDaemonMounts(t *testing.T, report childReport) {
	t.Helper()
	for _, pid := range processIDs(t, "buildkitd\x00--root\x00"+report.State) {
		mounts, err := os.ReadFile("/proc/" + pid + "/mounts")
		if err == nil && strings.Contains(string(mounts), " "+report.State+"/") {
			return
		}
	}
	t.Error("the step has no mounts")
}

// publicTools returns a directory that every user may read, with this test binary as samforge and
// the tools beside it.
func publicTools(t *testing.T) string {
	t.Helper()
	dir := cacheHome(t)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"samforge": exe}
	for _, name := range []string{"buildkitd", "runc", "rootlesskit"} {
		files[name] = filepath.Join(toolsDir(t), name)
	}
	for name, from := range files {
		if out, err := exec.Command("cp", "--reflink=auto", from, filepath.Join(dir, name)).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	return dir
}

// subIDUser returns a user with subordinate ids to run as; nil if the test is not root and runs as
// itself.
func subIDUser(t *testing.T) *syscall.Credential {
	t.Helper()
	user, err := testenv.RootlessCredential()
	if err != nil {
		t.Fatal(err)
	}
	return user
}

// processes returns the command lines that contain text.
func processes(t *testing.T, text string) []string {
	t.Helper()
	var found []string
	for _, pid := range processIDs(t, text) {
		if dt, err := os.ReadFile("/proc/" + pid + "/cmdline"); err == nil {
			found = append(found, strings.ReplaceAll(string(dt), "\x00", " "))
		}
	}
	return found
}

// processIDs returns the ids of the processes with text in their command lines.
func processIDs(t *testing.T, text string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, file := range files {
		if dt, err := os.ReadFile(file); err == nil && strings.Contains(string(dt), text) {
			found = append(found, filepath.Base(filepath.Dir(file)))
		}
	}
	return found
}

// waitNoProcess fails if a process with text in its command line still exists some seconds later.
func waitNoProcess(t *testing.T, text string) {
	t.Helper()
	var left []string
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if left = processes(t, text); len(left) == 0 {
			return
		}
	}
	t.Errorf("left behind:\n%s", strings.Join(left, "\n"))
}

func TestPrivateGetsOfTheEnvironmentWhatItNeeds(t *testing.T) {
	secret := "a-token-of-the-ci-step"
	cache := cacheHome(t)
	opt := privateOptions(t)
	opt.Env = environment(map[string]string{
		"PATH": "bin:" + toolsDir(t) + "::" + os.Getenv("PATH"), "XDG_CACHE_HOME": cache, "HOME": cache,
		"HTTPS_PROXY": "http://proxy.example.com:3128", "AWS_SECRET_ACCESS_KEY": secret, "DOCKER_AUTH_CONFIG": secret, "LD_PRELOAD": secret,
	})
	b, err := Find(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	var environ string
	for _, pid := range processIDs(t, b.daemon.run) {
		dt, err := os.ReadFile("/proc/" + pid + "/environ")
		if err != nil {
			t.Fatal(err)
		}
		environ += strings.ReplaceAll(string(dt), "\x00", "\n")
	}
	if strings.Contains(environ, secret) {
		t.Errorf("a secret is in the environment:\n%s", environ)
	}
	for _, want := range []string{"HTTPS_PROXY=http://proxy.example.com:3128\n", "HOME=" + cache + "\n"} {
		if !strings.Contains(environ, want) {
			t.Errorf("%q is not in the environment:\n%s", want, environ)
		}
	}
	if strings.Contains(environ, "=bin:") || strings.Contains(environ, ":bin:") || strings.Contains(environ, "::") {
		t.Errorf("PATH has relative folders:\n%s", environ)
	}
}

// With root in somebody else's folder, PATH=bin:… would let that folder decide which program runs.
func TestPrivateIsNotLookedForInRelativeFolders(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"bin/buildkitd", "bin/runc", "buildkitd"} {
		writeFile(t, dir+"/"+name, "#!/bin/sh\n")
		if err := os.Chmod(dir+"/"+name, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	for _, path := range []string{"bin", ".", "./bin:", ""} {
		_, err := Options{Env: environment(map[string]string{"PATH": path})}.findTools(false)
		if err == nil || !strings.Contains(err.Error(), "buildkitd is neither beside samforge nor on PATH") {
			t.Errorf("PATH=%s: got %v", path, err)
		}
	}
}
