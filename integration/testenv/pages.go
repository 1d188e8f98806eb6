package testenv

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Section is a part of a page of Markdown, with its blocks of commands.
type Section struct {
	Page   string // the file's name
	Title  string // the heading of the second level, "" above the first one
	Blocks []Block
}

// Block is a block of commands in a page, marked as sh or console.
type Block struct {
	Console bool // it shows commands after "$ ", and lines of their output
	Text    string
}

// Command is a command of a block with the lines of its output that the page shows.
type Command struct {
	Text   string
	Output []string
}

var commandBlock = regexp.MustCompile("(?ms)^## (.*?)\n|^```(sh|console)\n(.*?)^```")

// Sections returns the sections of a page that have commands.
func Sections(file string) ([]Section, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	all := []Section{{Page: filepath.Base(file)}}
	for _, m := range commandBlock.FindAllStringSubmatch(string(text), -1) {
		if m[1] != "" {
			all = append(all, Section{Page: filepath.Base(file), Title: m[1]})
			continue
		}
		last := &all[len(all)-1]
		last.Blocks = append(last.Blocks, Block{m[2] == "console", m[3]})
	}
	return slices.DeleteFunc(all, func(s Section) bool { return len(s.Blocks) == 0 }), nil
}

// Commands returns the commands of a block: all of it, or what follows "$ ".
func (b Block) Commands() []Command {
	if !b.Console {
		return []Command{{Text: b.Text}}
	}
	var all []Command
	for line := range strings.Lines(b.Text) {
		text, begins := strings.CutPrefix(line, "$ ")
		switch last := len(all) - 1; {
		case begins:
			all = append(all, Command{Text: text})
		case len(all[last].Output) == 0 && strings.HasSuffix(all[last].Text, "\\\n"):
			all[last].Text += line
		case strings.TrimSpace(line) != "…":
			all[last].Output = append(all[last].Output, strings.TrimRight(line, "\n"))
		}
	}
	return all
}

// Fails reports whether the page shows an error of the command.
func (c Command) Fails() bool {
	return slices.ContainsFunc(c.Output, func(line string) bool {
		return failed.MatchString(line)
	})
}

// failed matches an error, but not the summary of a build.
var failed = regexp.MustCompile(`^(ERROR: |samforge: \D)`)

// UseStandIns makes a folder's samforge.yaml and the Dockerfiles of its functions name stand-ins: the
// mirrors, and the base image of functions in Node.js. Files that are not there are left out.
func UseStandIns(folder string, mirrors map[string]string, functionBase string) error {
	text := "\nmirrors:\n"
	for from, to := range mirrors {
		text += "  '" + from + "': '" + to + "'\n"
	}
	err := change(filepath.Join(folder, "samforge.yaml"), func(old string) string {
		if strings.Contains(old, "\nmirrors:") {
			return old
		}
		return old + text
	})
	dockerfiles, globErr := filepath.Glob(filepath.Join(folder, "*", "Dockerfile"))
	err = errors.Join(err, globErr)
	for _, file := range dockerfiles {
		err = errors.Join(err, change(file, func(old string) string { return nodeFunctions.ReplaceAllString(old, functionBase) }))
	}
	return err
}

var nodeFunctions = regexp.MustCompile(`public\.ecr\.aws/lambda/nodejs:\d+`)

// change edits a file, if it is there.
func change(path string, edit func(string) string) error {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(edit(string(text))), 0o644)
}
