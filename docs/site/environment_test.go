package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// readers are the functions that read a variable of the environment.
var readers = map[string]bool{"Getenv": true, "LookupEnv": true, "env": true, "getenv": true}

// Names that are not written where they are read: the place, and which variables it reads.
var readElsewhere = map[string]string{
	"cmd/samforge/defaults.go":          "BUILDKIT_HOST BUILDKIT_PROGRESS AWS_REGION",
	"cmd/samforge/environment.go":       "SOURCE_DATE_EPOCH SAM_BUILD_MODE",
	"cmd/samforge/flags.go":             "SAMFORGE_SILENCE SAMFORGE_PUSH_LIMIT SOURCE_DATE_EPOCH SAM_BUILD_MODE", // and names that flags give
	"internal/build/build.go":           "",                                                                      // the variable of --secret
	"internal/builder/options.go":       "HOME",
	"internal/builder/private_linux.go": "HTTP_PROXY HTTPS_PROXY ALL_PROXY FTP_PROXY NO_PROXY BUILDKIT_STEP_LOG_MAX_SIZE BUILDKIT_STEP_LOG_MAX_SPEED",
	"internal/doctor/network.go":        "HTTP_PROXY HTTPS_PROXY NO_PROXY",
	"internal/registry/envconfig.go":    "DOCKER_AUTH_CONFIG",
	"internal/registry/keychain.go":     "DOCKER_CONFIG",
	"llbgen/args.go":                    "", // build arguments
}

// Each variable that the program reads is on the page.
func TestEnvironmentPage(t *testing.T) {
	t.Parallel()
	page := string(load(t).Page("docs/environment.md").Source)
	for _, folder := range []string{"cmd/samforge", "internal", "frontend", "llbgen", "samtemplate"} {
		must(t, filepath.WalkDir(filepath.Join("../..", folder), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			names, others := variablesOf(t, path)
			name := strings.TrimPrefix(filepath.ToSlash(path), "../../")
			if others {
				more, known := readElsewhere[name]
				if !known {
					t.Errorf("%s reads a variable whose name is not written there", name)
				}
				names = append(names, strings.Fields(more)...)
			}
			for _, variable := range names {
				if !strings.Contains(page, "`"+variable+"`") {
					t.Errorf("%s reads %s, and docs/environment.md does not have it", name, variable)
				}
			}
			return nil
		}))
	}
}

// variablesOf returns the names of the variables that a file reads, and whether it reads others,
// whose names are not written there.
func variablesOf(t *testing.T, path string) (names []string, others bool) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	must(t, err)
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) != 1 || !readers[calledName(call)] {
			return true
		}
		if text, ok := call.Args[0].(*ast.BasicLit); ok {
			name, err := strconv.Unquote(text.Value)
			must(t, err)
			names = append(names, name)
		} else {
			others = true
		}
		return true
	})
	return names, others
}

// calledName is the name of a called function, without its package or value.
func calledName(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}
