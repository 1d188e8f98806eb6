// Command standin stands in for a program of a base image that the tests cannot pull: it answers
// --version as that program does, and does the little that the tests need. The linker sets its name
// and version.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"
	"time"
)

var name, version string

// versionLines are the programs' version lines, with %s for the version; other programs print their
// name and version.
var versionLines = map[string]string{
	"docker":      "Docker version %s, build standin",
	"sam":         "SAM CLI, version %s",
	"aws":         "aws-cli/%s Python/3.12.9 Linux/6.1 exe/standin",
	"node":        "v%s",
	"python3":     "Python %s",
	"go-template": "version=%s",
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, name+":", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 1 && (args[0] == "--version" || args[0] == "-v" || args[0] == "version") {
		line, ok := versionLines[name]
		if !ok {
			line = name + " %s"
		}
		fmt.Printf(line+"\n", version)
		return nil
	}
	switch name {
	case "go-template":
		return render(args)
	case "sbom-scanner":
		return scan()
	case "sleep":
		seconds, err := time.ParseDuration(strings.Join(args, "") + "s")
		time.Sleep(seconds)
		return err
	}
	fmt.Println(name, version, strings.Join(args, " "))
	return nil
}

// scan writes an empty SBOM to the place that BuildKit's scanner protocol names:
// https://github.com/moby/buildkit/blob/master/docs/attestations/sbom-protocol.md
func scan() error {
	const statement = `{"_type": "https://in-toto.io/Statement/v0.1", "predicateType": "https://spdx.dev/Document", "predicate": {"name": "standin"}}`
	return os.WriteFile(filepath.Join(os.Getenv("BUILDKIT_SCAN_DESTINATION"), "sbom.spdx.json"), []byte(statement), 0o644)
}

// render is `go-template -t <template> -f <values> -o <directory>`.
func render(args []string) error {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	templatePath := flags.String("t", "", "template file")
	valuesPath := flags.String("f", "", "values file")
	output := flags.String("o", ".", "output directory")
	if err := flags.Parse(args); err != nil {
		return err
	}
	values, err := readValues(*valuesPath)
	if err != nil {
		return err
	}
	tmpl, err := template.ParseFiles(*templatePath)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(*output, 0o755); err != nil {
		return err
	}
	out, err := os.Create(filepath.Join(*output, filepath.Base(*templatePath)))
	if err != nil {
		return err
	}
	if err := tmpl.Execute(out, map[string]any{"Values": values}); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}

// readValues reads flat YAML, one `key: value` per line.
func readValues(path string) (map[string]string, error) {
	values := map[string]string{}
	if path == "" {
		return values, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, value, ok := strings.Cut(line, ":")
		if !ok {
			return nil, fmt.Errorf("%s: %q is not key: value", path, line)
		}
		values[key] = strings.Trim(strings.TrimSpace(value), `"'`)
	}
	return values, lines.Err()
}
