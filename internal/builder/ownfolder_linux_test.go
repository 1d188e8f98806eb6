package builder

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// stranger is a user who is neither root nor runs this test.
const stranger = 54321

// hostileHome returns a home in a folder open to all, as /tmp is. What plant creates in it belongs
// to the stranger.
func hostileHome(t *testing.T, plant func(home string)) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can make files of another user")
	}
	home := filepath.Join(cacheHome(t), "home")
	if err := os.Mkdir(home, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(home, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	plant(home)
	err := filepath.WalkDir(home, func(path string, _ os.DirEntry, err error) error {
		if err != nil || path == home {
			return err
		}
		return os.Lchown(path, stranger, stranger)
	})
	if err != nil {
		t.Fatal(err)
	}
	return home
}

// mkdir makes a folder with its parents; link makes a link in it.
func mkdir(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, target, name string) {
	t.Helper()
	mkdir(t, filepath.Dir(name))
	if err := os.Symlink(target, name); err != nil {
		t.Fatal(err)
	}
}

func TestPrivateStateOfAStrangerIsNotUsed(t *testing.T) {
	target := filepath.Join(t.TempDir(), "target")
	writeFile(t, target, "precious")
	created := filepath.Join(t.TempDir(), "created")
	for name, plant := range map[string]func(home string){
		"a log that is a link":        func(home string) { link(t, target, home+"/.cache/samforge/buildkitd/samforge.log") },
		"a lock that is a link":       func(home string) { link(t, created, home+"/.cache/samforge/buildkitd/samforge.lock") },
		"buildkitd's lock is a link":  func(home string) { link(t, created, home+"/.cache/samforge/buildkitd/buildkitd.lock") },
		"the state folder is a link":  func(home string) { link(t, filepath.Dir(created), home+"/.cache/samforge/buildkitd") },
		"the cache folder is a link":  func(home string) { link(t, filepath.Dir(created), home+"/.cache") },
		"the cache folder is another": func(home string) { mkdir(t, home+"/.cache") },
	} {
		t.Run(name, func(t *testing.T) {
			home := hostileHome(t, plant)
			passwd := cacheHome(t)
			var said []string
			opt := Options{
				Env:        environment(map[string]string{"HOME": home}),
				Log:        func(s string) { said = append(said, s) },
				passwdHome: &passwd,
			}
			s, err := opt.lockedState("buildkitd")
			if err != nil {
				t.Fatal(err)
			}
			s.close()
			if want := passwd + "/.cache/samforge/buildkitd"; s.dir != want {
				t.Errorf("the state is in %s, want %s", s.dir, want)
			}
			if len(said) != 1 || !strings.Contains(said[0], "belongs to the user with the id 54321") {
				t.Errorf("said %q", said)
			}
			opt.Env = environment(map[string]string{"XDG_CACHE_HOME": home + "/.cache"})
			if _, err := opt.lockedState("buildkitd"); err == nil || !strings.Contains(err.Error(), "set XDG_CACHE_HOME to a folder that only you can write to") {
				t.Errorf("with XDG_CACHE_HOME: got %v", err)
			}
			if dt, _ := os.ReadFile(target); string(dt) != "precious" {
				t.Errorf("a link's target was written: %q", dt)
			}
			if entries, _ := os.ReadDir(filepath.Dir(created)); len(entries) != 0 {
				t.Errorf("a link's target was made: %v", entries)
			}
		})
	}
}

// A container's user may have no home that it may write to.
func TestPrivateStateMayBeInTheFolderForTemporaryFiles(t *testing.T) {
	home := hostileHome(t, func(home string) { mkdir(t, home+"/.cache") })
	none, temp := "", cacheHome(t)
	var said []string
	opt := Options{
		Env:        environment(map[string]string{"HOME": home, "TMPDIR": temp}),
		Log:        func(s string) { said = append(said, s) },
		passwdHome: &none,
	}
	want := fmt.Sprintf("%s/samforge-state-%d/samforge", temp, os.Geteuid())
	if got := opt.stateFolder(); got != want {
		t.Errorf("the survey says %s, want %s", got, want)
	}
	if entries, _ := os.ReadDir(temp); len(entries) != 0 {
		t.Errorf("the survey made %v", entries)
	}
	s, err := opt.lockedState("buildkitd")
	if err != nil {
		t.Fatal(err)
	}
	s.close()
	if s.dir != want+"/buildkitd" || len(said) != 1 || !strings.Contains(said[0], want) {
		t.Errorf("the state is in %s, want %s/buildkitd; said %q", s.dir, want, said)
	}
}

// This runs everything with a real buildkitd, which must not touch what a stranger planted.
func TestPrivateBuildsBesideTheStateOfAStranger(t *testing.T) {
	target := filepath.Join(t.TempDir(), "target")
	writeFile(t, target, "precious")
	home := hostileHome(t, func(home string) {
		for _, name := range []string{"samforge.log", "samforge.lock", "samforge.run", "buildkitd.lock", "cache.db"} {
			link(t, target, home+"/.cache/samforge/buildkitd/"+name)
		}
	})
	passwd := cacheHome(t)
	opt := privateOptions(t)
	opt.Env, opt.passwdHome = environment(map[string]string{"HOME": home, "PATH": opt.Env("PATH")}), &passwd
	b, err := Find(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if r := b.Run(t.Context(), SessionOptions{}, []Job{stateJob("files", fileState("a"))}, nil)[0]; r.Err != nil {
		t.Error(r.Err)
	}
	if dt, _ := os.ReadFile(target); string(dt) != "precious" {
		t.Errorf("a link's target was written: %q", dt)
	}
}

func TestOwnFolder(t *testing.T) {
	t.Parallel()
	top := cacheHome(t)
	mkdir(t, top+"/real")
	link(t, "../real", top+"/links/relative")
	link(t, top+"/links/relative", top+"/absolute")
	link(t, "loop", top+"/loop")
	writeFile(t, top+"/file", "")
	mkdir(t, top+"/open")
	mkdir(t, top+"/group")
	mkdir(t, top+"/sticky")
	for dir, mode := range map[string]os.FileMode{"open": 0o777, "group": 0o775, "sticky": 0o777 | os.ModeSticky} {
		if err := os.Chmod(top+"/"+dir, mode); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{
		"real/new/folder":  "real/new/folder",
		"absolute/through": "real/through",
		"links/../real":    "real",
		"sticky/mine":      "sticky/mine",
		"group/mine":       "group/mine", // of the user's own group
	} {
		if got, err := ownFolder(top + "/" + path); err != nil || got != top+"/"+want {
			t.Errorf("%s is %s, %v; want %s", path, got, err, want)
		}
	}
	for path, want := range map[string]string{
		"loop/x":    "too many levels of symbolic links",
		"file/x":    "not a directory",
		"open/mine": "other users may write to " + top + "/open (its mode is 0777)",
	} {
		if got, err := ownFolder(top + "/" + path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is %s, %v; want %s", path, got, err, want)
		}
	}
}

// A volume of a Kubernetes pod is open to everyone in the pod.
func TestOwnFolderTakesAVolumeThatIsOpenToAll(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can mount")
	}
	dir := cacheHome(t) + "/volume"
	mkdir(t, dir)
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=0777"); err != nil {
		t.Fatal(err)
	}
	defer syscall.Unmount(dir, syscall.MNT_DETACH)
	if got, err := ownFolder(dir + "/cache"); err != nil || got != dir+"/cache" {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestOwnFilesAreNotOpenedThroughOtherNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, dir+"/target", "precious")
	link(t, dir+"/target", dir+"/link")
	if err := os.Link(dir+"/target", dir+"/hardlink"); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(dir+"/fifo", 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"link": "too many levels of symbolic links", "hardlink": "has another name elsewhere", "fifo": "is not a regular file",
	} {
		if _, err := createOwn(dir + "/" + name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("create %s: got %v, want %s", name, err, want)
		}
		if _, err := tryLock(dir + "/" + name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("lock %s: got %v, want %s", name, err, want)
		}
	}
	if dt, _ := os.ReadFile(dir + "/target"); string(dt) != "precious" {
		t.Errorf("the target holds %q", dt)
	}
}

func TestStateThatOthersMayWriteToIsRefused(t *testing.T) {
	t.Parallel()
	cache := cacheHome(t)
	mkdir(t, cache+"/samforge/buildkitd")
	if err := os.Chmod(cache+"/samforge/buildkitd", 0o770); err != nil {
		t.Fatal(err)
	}
	_, err := Options{Env: environment(map[string]string{"XDG_CACHE_HOME": cache})}.lockedState("buildkitd")
	if err == nil || !strings.Contains(err.Error(), "the state folder cannot be trusted: other users may write to") {
		t.Errorf("got %v", err)
	}
}

// The next user of the state removes what a killed samforge could not.
func TestRunFolderOfTheKilledIsSwept(t *testing.T) {
	opt := Options{Env: environment(map[string]string{"XDG_CACHE_HOME": cacheHome(t)})}
	t.Setenv("TMPDIR", cacheHome(t))
	var dirs []string
	for range 2 {
		s, err := opt.lockedState("buildkitd")
		if err != nil {
			t.Fatal(err)
		}
		dir, err := s.runDir()
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, dir+"/buildkitd.sock", "")
		dirs = append(dirs, dir)
		s.close()
	}
	if _, err := os.Stat(dirs[0]); !os.IsNotExist(err) {
		t.Errorf("%s is left", dirs[0])
	}
	if _, err := os.Stat(dirs[1]); err != nil {
		t.Error(err)
	}
}

func TestTryOverlay(t *testing.T) {
	t.Parallel()
	folder := cacheHome(t)
	if err := TryOverlay(folder); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(folder); len(left) != 0 {
		t.Errorf("it leaves %v", left)
	}
	if err := TryOverlay(folder + "/none"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder that is not there: got %v", err)
	}
}
