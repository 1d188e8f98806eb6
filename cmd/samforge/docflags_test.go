package main

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// foreignFlags are flags of other programs that the pages and examples name.
var foreignFlags = map[string]string{
	"docker buildx build":    "allow call cgroup-parent check debug dry-run jobs memory policy print pull set shm-size squash ulimit var",
	"docker run":             "cap-add cap-drop env rm security-opt user volume workdir",
	"a Dockerfile":           "checksum chmod chown from mount",
	"buildkitd and buildctl": "addr oci-worker-no-process-sandbox",
	"npm":                    "ignore-scripts omit-lockfile-registry-resolved package-lock-only save-exact",
	"aws and sam":            "capabilities no-confirm-changeset no-fail-on-empty-changeset",
	"apk":                    "allow-untrusted",
	"git":                    "depth",
	"curl":                   "fail retry retry-connrefused silent",
	"cosign":                 "bundle insecure-ignore-tlog key recursive sign-container-identity tlog-upload yes",
	"the executor of kaniko": "cache cache-repo cleanup context context-sub-path custom-platform destination digest-file dockerfile image-name-with-digest-file " +
		"insecure no-push oci-layout-path push-retry registry-certificate registry-mirror reproducible single-snapshot skip-tls-verify snapshot-mode tar-path use-new-run",
}

var (
	flagPattern = regexp.MustCompile("(?:^|[\\s`'\"(\\[])--([a-z][a-z0-9-]+)")
	// A command in code: in a block, between backticks, or in a script of a CI template.
	codePattern    = regexp.MustCompile("(?ms)^```.*?^```|`[^`\n]+`")
	commandPattern = regexp.MustCompile(`(?:^|[\s"'(|&;` + "`" + `])samforge +([a-z][a-z-]*)\b((?:[^\n&|;]|\\\n)*)`)
	commentPattern = regexp.MustCompile(`(?m)(^|\s)#.*$`)
)

// Each flag that README, docs and examples name is one of samforge, or of a program that is known
// here. Each command samforge VERB is there, and has the flags that follow it.
func TestFlagsInPages(t *testing.T) {
	t.Parallel()
	commands, ours := commandsAndFlags()
	others := map[string]bool{}
	for _, flags := range foreignFlags {
		for flag := range strings.FieldsSeq(flags) {
			others[flag] = true
		}
	}
	named := map[string]bool{}
	for path, text := range pagesAndExamples(t) {
		for _, m := range flagPattern.FindAllStringSubmatch(text, -1) {
			named[m[1]] = true
			if !others[m[1]] && !ours[m[1]] {
				t.Errorf("%s: no command has --%s", path, m[1])
			}
		}
		code := commentPattern.ReplaceAllString(text, "")
		if strings.HasSuffix(path, ".md") {
			code = strings.Join(codePattern.FindAllString(text, -1), "\n")
		}
		for _, m := range commandPattern.FindAllStringSubmatch(code, -1) {
			flags, ok := commands[m[1]]
			if !ok {
				t.Errorf("%s: there is no command samforge %s", path, m[1])
				continue
			}
			for _, flag := range flagPattern.FindAllStringSubmatch(strings.SplitN(m[2], "`", 2)[0], -1) {
				if !flags[flag[1]] && !strings.Contains(text, "\nsamforge: unknown flag: --"+flag[1]) { // its error is shown
					t.Errorf("%s: samforge %s has no flag --%s", path, m[1], flag[1])
				}
			}
		}
	}
	for flag := range others {
		if !named[flag] {
			t.Errorf("no page names --%s any more", flag)
		}
	}
}

// commandsAndFlags returns the flags of each command by its name, and all flags.
func commandsAndFlags() (commands map[string]map[string]bool, all map[string]bool) {
	commands, all = map[string]map[string]bool{}, map[string]bool{}
	root := newRoot()
	for _, c := range append(root.Commands(), root) {
		flags := flagsOf(c)
		commands[c.Name()] = flags
		for _, alias := range c.Aliases {
			commands[alias] = flags
		}
		maps.Copy(all, flags)
	}
	return commands, all
}

func flagsOf(c *cobra.Command) map[string]bool {
	flags := map[string]bool{"help": true}
	c.Flags().VisitAll(func(f *pflag.Flag) { flags[f.Name] = true })
	c.InheritedFlags().VisitAll(func(f *pflag.Flag) { flags[f.Name] = true })
	return flags
}

// pagesAndExamples returns the text of README.md, CHANGELOG.md, docs/*.md and examples by its path.
func pagesAndExamples(t *testing.T) map[string]string {
	t.Helper()
	var files []string
	for _, pattern := range []string{"README.md", "CHANGELOG.md", "docs/*.md"} {
		found, err := filepath.Glob(filepath.Join("../..", pattern))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	err := filepath.WalkDir("../../examples", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && slices.Contains([]string{".yaml", ".yml", ".toml", ".md"}, filepath.Ext(path)) {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts[strings.TrimPrefix(filepath.ToSlash(file), "../../")] = string(text)
	}
	return texts
}
