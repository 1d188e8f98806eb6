package main

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Each flag of docker buildx build and docker buildx bake is one of samforge build, or samforge says
// what takes its place.
func TestFlagsOfBuildx(t *testing.T) {
	t.Parallel()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/docker/buildx").Output()
	if err != nil {
		t.Fatal(err)
	}
	build := buildCommand()
	for _, file := range []string{"build.go", "bake.go"} {
		flags := definedFlags(t, filepath.Join(strings.TrimSpace(string(dir)), "commands", file))
		if len(flags) < 15 {
			t.Errorf("%s defines only %q: are flags defined in another way now?", file, flags)
		}
		for _, flag := range flags {
			if found := build.Flags().Lookup(flag); found != nil && !found.Hidden {
				continue
			}
			if instead := dockerFlags()[flag]; instead == "" {
				t.Errorf("--%s of commands/%s is unknown here", flag, file)
			}
		}
	}
}

// definedFlags returns the names of the flags that a Go file defines: the first string in a call of
// a method of flags whose name has Var, Bool or the like.
func definedFlags(t *testing.T, path string) (names []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		method, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		of, ok := method.X.(*ast.Ident)
		if !ok || of.Name != "flags" || !strings.Contains(method.Sel.Name, "Var") && method.Sel.Name != "Bool" {
			return true
		}
		for _, arg := range call.Args {
			if text, ok := arg.(*ast.BasicLit); ok && text.Kind == token.STRING {
				name, err := strconv.Unquote(text.Value)
				if err != nil {
					t.Fatal(err)
				}
				names = append(names, name)
				break
			}
		}
		return true
	})
	return names
}

func TestUnknownFlags(t *testing.T) {
	for line, want := range map[string]string{
		"build --dry-run":                    "unknown flag: --dry-run: samforge plan shows what would be built",
		"build --print=outline":              "unknown flag: --print: samforge plan shows",
		"build -m 1g":                        "unknown shorthand flag: 'm' in -m: samforge does not limit build steps",
		"plan --plattform linux/amd64":       "unknown flag: --plattform: did you mean --platform? (see samforge plan --help)",
		"check --push":                       "unknown flag: --push: it is a flag of samforge build",
		"build --nothing-like-it-anywhere":   "unknown flag: --nothing-like-it-anywhere (see samforge build --help)",
		"build -v":                           "unknown shorthand flag: 'v' in -v: --progress=plain shows",
		"build --verbose":                    "unknown flag: --verbose: --progress=plain shows",
		"build --version":                    "unknown flag: --version: the version is samforge version",
		"build -u":                           "unknown shorthand flag: 'u' in -u: images are always built in containers",
		"build --build-in-source":            "unknown flag: --build-in-source: an image is built in a builder",
		"package --guided":                   "unknown flag: --guided: samforge asks no questions",
		"build --beta-features":              "unknown flag: --beta-features: samforge has none",
		"build --push=yes":                   `--push is true or false, found "yes" (see samforge build --help)`,
		"build -":                            "the context - is no folder, and no address of a git repository or an archive; a build file on standard input is --file -",
		"build java21":                       "the context java21 is no folder, and no address of a git repository or an archive; a target is --target java21",
		"lock java21":                        "the context java21 is no folder, and no address of a git repository or an archive",
		"build java21 python3.12":            `one build context at most, found ["java21" "python3.12"]; targets are --target java21 --target python3.12 (`,
		"build java21 -":                     `one build context at most, found ["java21" "-"]; targets are --target java21 (`,
		"outdated java21 python3.12":         `one build context at most, found ["java21" "python3.12"] (`,
		"plan --kind sam --repo Foo":         `--repo: "Foo" is not a repository`,
		"plan --kind sam --repo http://x/y":  `--repo: "http://x/y" is not a repository: leave http:// out, as in x/y`,
		"plan --kind nothing":                `--kind: `,
		"build -f missing/sub/samforge.yaml": "open missing/sub/samforge.yaml",
	} {
		_, err := execute(strings.Fields(line)...)
		var usage *usageError
		if err == nil || !strings.Contains(err.Error(), want) || exitCode(err) != exitInput {
			t.Errorf("samforge %s: %v, want %s", line, err, want)
		}
		if verb, _, _ := strings.Cut(line, " "); (verb == "lock" || verb == "outdated") && err != nil && strings.Contains(err.Error(), "--target") {
			t.Errorf("samforge %s: %v, but %s has no --target", line, err, verb)
		}
		if strings.Contains(want, "unknown") && !errors.As(err, &usage) {
			t.Errorf("samforge %s: %T is no mistake in the flags", line, err)
		}
	}
}

// A build file that is not there: the command that writes one, or the name that is nearly right.
func TestMissingBuildFile(t *testing.T) {
	dir := t.TempDir()
	for _, test := range []struct{ file, args, want string }{
		{"unrelated.yaml", "plan", "there is no samforge.yaml in this folder: samforge init writes one; without one"},
		{"samforge.yml", "plan", "there is no samforge.yaml in this folder: name samforge.yml with --file; without one"},
		{"samforge.yaml", "plan -f samforge.ymal", `open samforge.ymal: no such file or directory: did you mean "samforge.yaml"?`},
		{"samforge.yaml", "plan -f other.yaml", "open other.yaml: no such file or directory: the build file in this folder is samforge.yaml"},
	} {
		t.Chdir(dir)
		if err := os.WriteFile(test.file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := execute(strings.Fields(test.args)...); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s beside %s: %v, want %s", test.args, test.file, err, test.want)
		}
	}
}
