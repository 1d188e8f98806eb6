package elf

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// files returns the file system below dir.
func files(t *testing.T, dir string) fs.FS {
	t.Helper()
	root, err := os.OpenRoot(dir)
	must(t, err)
	t.Cleanup(func() { must(t, root.Close()) })
	return root.FS()
}

// filesWith returns a file system with these files; "-> x" is a link to x.
func filesWith(t *testing.T, contents map[string]string) fs.FS {
	t.Helper()
	dir := t.TempDir()
	for name, content := range contents {
		file := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(file), 0o755))
		if target, link := strings.CutPrefix(content, "-> "); link {
			must(t, os.Symlink(target, file))
		} else {
			must(t, os.WriteFile(file, []byte(content), 0o644))
		}
	}
	return files(t, dir)
}

// compile builds a shared library, or a program that uses one, with gcc.
func compile(t testing.TB, output, source string, args ...string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(output), 0o755))
	code := filepath.Join(t.TempDir(), "code.c")
	must(t, os.WriteFile(code, []byte(source), 0o644))
	args = append([]string{"-nostdlib", "-fPIC", "-o", output, code}, args...)
	if out, err := exec.CommandContext(t.Context(), "gcc", args...).CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
}

// library builds libgreet.so.1 with the versions GREET_1.0 to GREET_1.<last>, each of which adds a
// function.
func library(t testing.TB, output string, last int) {
	t.Helper()
	var code, versions strings.Builder
	for n := range last + 1 {
		fmt.Fprintf(&code, "int greet%d(void) { return %d; }\n", n, n)
		fmt.Fprintf(&versions, "GREET_1.%d { global: greet%d; };\n", n, n)
	}
	script := filepath.Join(t.TempDir(), "versions")
	must(t, os.WriteFile(script, []byte(versions.String()), 0o644))
	compile(t, output, code.String(), "-shared", "-Wl,-soname,libgreet.so.1", "-Wl,--version-script,"+script)
}

func TestMissingLibraries(t *testing.T) {
	t.Parallel()
	newer := filepath.Join(t.TempDir(), "libgreet.so.1")
	library(t, newer, 10)
	const calls = "int greet2(void); int greet10(void); int _start(void) { return greet2() + greet10(); }"

	for name, c := range map[string]struct {
		make func(dir string)
		path []string // LD_LIBRARY_PATH
		link []string
		want string
	}{
		"all is there": {make: func(dir string) { library(t, dir+"/usr/lib64/libgreet.so.1", 10) }},
		"a library that is too old": {
			make: func(dir string) { library(t, dir+"/usr/lib64/libgreet.so.1", 9) },
			want: "/bin/program needs GREET_1.10 of libgreet.so.1, and the image's ends at GREET_1.9",
		},
		"no library": {
			make: func(string) {},
			want: "/bin/program needs libgreet.so.1, which the image does not have",
		},
		"LD_LIBRARY_PATH comes before the system's directories": {
			make: func(dir string) {
				library(t, dir+"/usr/lib64/libgreet.so.1", 9)
				library(t, dir+"/var/lang/lib/libgreet.so.1", 10)
			},
			path: []string{"/nowhere", "/var/lang/lib"},
		},
		"ld.so.conf": {make: func(dir string) {
			library(t, dir+"/opt/lib/libgreet.so.1", 10)
			must(t, os.MkdirAll(dir+"/etc/ld.so.conf.d", 0o755))
			must(t, os.WriteFile(dir+"/etc/ld.so.conf", []byte("# where\ninclude ld.so.conf.d/*.conf\n"), 0o644))
			must(t, os.WriteFile(dir+"/etc/ld.so.conf.d/opt.conf", []byte("/opt/lib # ours\n"), 0o644))
		}},
		"the file's own run path": {
			make: func(dir string) { library(t, dir+"/lib/private/libgreet.so.1", 10) },
			link: []string{"-Wl,-rpath,$ORIGIN/../lib/private"},
		},
		"a file that is not a library": {
			make: func(dir string) {
				must(t, os.MkdirAll(dir+"/lib64", 0o755))
				must(t, os.WriteFile(dir+"/lib64/libgreet.so.1", []byte("GROUP ( libgreet.so )"), 0o644))
			},
			want: "needs libgreet.so.1, which the image does not have",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			compile(t, dir+"/bin/program", calls, append(c.link, newer)...)
			c.make(dir)
			l := Linker{Root: files(t, dir), Arch: runtime.GOARCH, Path: c.path}
			problems, err := l.Missing("/bin/program")
			must(t, err)
			if c.want == "" && len(problems) > 0 {
				t.Errorf("missing are %q, want nothing", problems)
			}
			if got := strings.Join(problems, "; "); !strings.Contains(got, c.want) {
				t.Errorf("missing are %q, want %q", got, c.want)
			}
		})
	}
}

// A base image may have anything in its linker's configuration.
func TestLinkerConfiguration(t *testing.T) {
	t.Parallel()
	l := Linker{visited: map[string]bool{}, Root: filesWith(t, map[string]string{
		"etc/ld.so.conf":          "include ld.so.conf\ninclude ld.so.conf.d/*.conf\n/opt/lib\n",
		"etc/ld.so.conf.d/d.conf": "-> ..",
		"etc/ld.so.conf.d/a.conf": "/opt/a\ninclude /etc/ld.so.conf\ninclude ld.so.conf.d/a.conf\n",
	})}
	if dirs, err := l.configured("etc/ld.so.conf"); err != nil || !slices.Equal(dirs, []string{"/opt/a", "/opt/lib"}) {
		t.Errorf("the directories are %q, %v", dirs, err)
	}
	var many strings.Builder
	for n := range 50_000 {
		fmt.Fprintf(&many, "/opt/%d\n", n%101)
	}
	for want, content := range map[string]string{
		"/etc/ld.so.conf has 1048577 bytes, and at most 1048576 are read": strings.Repeat("#", maxLinkerConfig+1),
		"is not a regular file but a directory":                           "-> .",
		"names 105 directories, and at most 100 are searched":             many.String(),
	} {
		l := Linker{Root: filesWith(t, map[string]string{"etc/ld.so.conf": content})}
		var config *ConfigError
		if _, err := l.Missing("/bin/program"); !errors.As(err, &config) || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %q", err, want)
		}
	}
}

func TestMissingLibraryOfALibrary(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	newer := filepath.Join(t.TempDir(), "libgreet.so.1")
	library(t, newer, 9)
	compile(t, dir+"/lib/libother.so", "int greet9(void); int other(void) { return greet9(); }", "-shared", "-Wl,-soname,libother.so", newer)
	compile(t, dir+"/bin/program", "int other(void); int _start(void) { return other(); }", dir+"/lib/libother.so", "-Wl,--allow-shlib-undefined")
	library(t, dir+"/lib/libgreet.so.1", 8)
	l := Linker{Root: files(t, dir), Arch: runtime.GOARCH}
	problems, err := l.Missing("/bin/program")
	want := "libother.so needs GREET_1.9 of libgreet.so.1, and the image's ends at GREET_1.8"
	if err != nil || len(problems) != 1 || !strings.HasSuffix(problems[0], want) {
		t.Errorf("missing are %q, %v; want %q", problems, err, want)
	}
}

func TestStaticProgramMissesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	compile(t, dir+"/bin/program", "int _start(void) { return 0; }", "-static")
	l := Linker{Root: files(t, dir), Arch: "amd64"}
	if problems, err := l.Missing("/bin/program"); err != nil || len(problems) > 0 {
		t.Errorf("missing are %q, %v", problems, err)
	}
	if _, err := l.Missing("/bin/other"); err == nil {
		t.Error("a program that does not exist is not an error")
	}
}

func TestCompareSymbolVersions(t *testing.T) {
	t.Parallel()
	for _, c := range [][2]string{
		{"GLIBC_2.9", "GLIBC_2.28"}, {"GLIBC_2.2.5", "GLIBC_2.3"}, {"", "GLIBC_2.2.5"}, {"GLIBC_2.38", "GLIBC_PRIVATE"}, {"GLIBCXX_3.4.9", "GLIBCXX_3.4.32"},
	} {
		if compareSymbolVersions(c[0], c[1]) >= 0 || compareSymbolVersions(c[1], c[0]) <= 0 {
			t.Errorf("%q is not before %q", c[0], c[1])
		}
	}
}
