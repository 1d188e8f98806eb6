package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// foreignMessages are messages of other programs in docs/troubleshooting.md.
var foreignMessages = []string{
	"The image manifest, config or layer media type for the source image", "is not supported", "UnsupportedImageLayerDetected", // AWS Lambda
	"EACCES: permission denied, mkdir '/.serverless", // Node.js
}

// messageRow is a row of a table with messages: its first cell.
var messageRow = regexp.MustCompile("(?m)^\\| ((?:[A-Z][a-z]+: )?`.*?) \\| ")

// Each message of docs/troubleshooting.md is one that the program prints. Parts that … and
// placeholders stand for are not compared, nor are words between formatted values.
func TestMessagesArePrinted(t *testing.T) {
	t.Parallel()
	source := programText(t)
	page := string(load(t).Page("docs/troubleshooting.md").Source)
	rows := messageRow.FindAllStringSubmatch(page, -1)
	if len(rows) < 40 {
		t.Fatalf("%d messages are found", len(rows))
	}
	for _, row := range rows {
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[1], -1) {
			for part := range strings.SplitSeq(m[1], "…") {
				part = strings.Trim(part, " ;:,'")
				if len(part) > 5 && !strings.Contains(source, part) && !slices.Contains(foreignMessages, part) {
					t.Errorf("nothing prints %q", part)
				}
			}
		}
	}
}

// programText returns the source of the program and of what it runs.
func programText(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, folder := range []string{"cmd", "internal", "frontend", "llbgen", "npm", "source", "samtemplate"} {
		must(t, filepath.WalkDir(filepath.Join("../..", folder), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go") || !slices.Contains([]string{".go", ".cjs", ".js"}, filepath.Ext(path)) {
				return err
			}
			text, err := os.ReadFile(path)
			all.Write(text)
			return err
		}))
	}
	return all.String()
}
