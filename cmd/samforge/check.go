package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/moby/buildkit/frontend/subrequests/lint"
	"github.com/spf13/cobra"

	"github.com/samforge/samforge/internal/printer"
	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/internal/registry"
	"github.com/samforge/samforge/internal/rules"
)

// errFindings says that a check found something. The findings are on standard output.
var errFindings = errors.New("the check found something")

const checkHelp = `Check a build file for mistakes, and for things that should change: images that move, runtimes
past their end of life, downloads without a checksum and more. Nothing is built or pulled.

For a SAM template the Dockerfiles of its functions are checked too, by the same rules and by
Docker's own, those of docker build --check. No builder is needed; the settings of base images
other than Lambda's are read from their registries. A Dockerfile that names a frontend other
than Docker's in its first line is checked by none of Docker's rules.

--rules lists the rules, and docs/rules.md explains them. A build file can skip some
of them in its first lines: # check=skip=RULE,RULE

With IMAGE, a reference with a tag, a digest or a registry, check whether AWS Lambda takes
the image: docs/lambda.md has what it wants. Manifest and config are read from the
registry, and no layer is pulled, so the uncompressed size is not checked.

A rule that depends on the day, RuntimeEndOfLife, fails the check only with --fail-on=date: else
a pipeline would stop by the calendar, without a change.

Exit codes: 0 nothing was found, 1 a rule of --fail-on found something, 2 the input is wrong.`

func checkCommand() *cobra.Command {
	var f buildFlags
	var format, platform, failOn string
	var listRules bool
	c := &cobra.Command{
		Use:   "check [flags] [CONTEXT] | check [--platform PLATFORM] [--format FORMAT] IMAGE",
		Short: "Check a build file or a SAM template, or whether AWS Lambda takes an image, without building anything",
		Long:  checkHelp,
		Example: `  samforge check
  samforge check --fail-on date
  samforge check -f images/samforge.yaml --format json
  samforge check -f template.yaml --parameter-overrides Stage=prod
  samforge check --platform linux/arm64 123456789012.dkr.ecr.eu-west-1.amazonaws.com/orders:v1`,
		Args: oneContext,
		RunE: func(c *cobra.Command, args []string) error {
			if format != "text" && format != "json" {
				return &usageError{fmt.Errorf("--format %q: use text or json", format)}
			}
			if err := knownFailOn(failOn); err != nil {
				return err
			}
			if listRules {
				return printRules(c.OutOrStdout(), format)
			}
			if len(args) > 0 && isImage(args[0]) {
				return f.checkImage(c, args[0], platform, format)
			}
			if platform != "" {
				return &usageError{errors.New("--platform is for the check of an image: name one with its tag, or leave --platform out")}
			}
			return f.checkFile(c, args, format, &failOn)
		},
	}
	f.registerFile(c)
	f.registerTargets(c, "check")
	f.registerContexts(c)
	f.registerConfig(c)
	c.Flags().StringVar(&format, "format", "text", "`format` of the findings: text or json")
	c.Flags().BoolVar(&listRules, "rules", false, "list the rules")
	c.Flags().StringVar(&platform, "platform", "", "`platform` of the function that IMAGE is for: linux/amd64 or linux/arm64")
	c.Flags().StringVar(&failOn, "fail-on", failOnWarning, "what ends with exit code 1: warning, any finding that does not depend on the day; date, any finding; none")
	completeFlag(c, "fail-on", failOns()...)
	completeFlag(c, "format", "text", "json")
	completeFlag(c, "platform", "linux/amd64", "linux/arm64")
	return c
}

// The values of --fail-on.
const (
	failOnWarning = "warning"
	failOnDate    = "date"
	failOnNone    = "none"
)

func failOns() []string { return []string{failOnWarning, failOnDate, failOnNone} }

func knownFailOn(value string) error {
	if slices.Contains(failOns(), value) {
		return nil
	}
	return &usageError{fmt.Errorf("--fail-on %q: use %s", value, strings.Join(failOns(), ", "))}
}

// fails reports whether findings end a check with exit code 1, and how many of them depend on the day.
func fails(found []lint.Warning, failOn string) (fail bool, dated int) {
	for _, w := range found {
		if rules.Named(w.RuleName).Dated {
			dated++
		}
	}
	switch failOn {
	case failOnNone:
		return false, dated
	case failOnDate:
		return len(found) > 0, dated
	}
	return len(found) > dated, dated
}

// checkFile checks the build file that the flags and the argument name, and prints the findings. A file
// with defaults may set failOn.
func (f *buildFlags) checkFile(c *cobra.Command, args []string, format string, failOn *string) error {
	opt, err := f.configured(c, args)
	if err != nil {
		return err
	}
	if err := knownFailOn(*failOn); err != nil {
		return err
	}
	results, err := project.Check(c.Context(), opt, registry.NewResolver(c.Context(), f.registries(c)))
	if results != nil {
		err = errors.Join(err, printResults(c.OutOrStdout(), format, results))
	}
	if err != nil {
		return err
	}
	annotateFindings(c.ErrOrStderr(), results)
	fail, dated := fails(results.Warnings, *failOn)
	if dated > 0 && *failOn == failOnWarning && format == "text" {
		fmt.Fprintf(c.OutOrStdout(), "\nFindings that depend on today's date: %d. They fail the check only with --fail-on=date.\n", dated)
	}
	if fail {
		return errFindings
	}
	return nil
}

// annotateFindings writes the findings as warnings with their places, which GitHub shows at their lines.
// Elsewhere there is no need.
func annotateFindings(stderr io.Writer, results *lint.LintResults) {
	if !printer.Annotates(stderr) {
		return
	}
	for _, w := range results.Warnings {
		at := ""
		if w.Location != nil && len(w.Location.Ranges) > 0 && int(w.Location.SourceIndex) < len(results.Sources) {
			at = fmt.Sprintf("%s:%d: ", results.Sources[w.Location.SourceIndex].Filename, w.Location.Ranges[0].GetStart().GetLine())
		}
		fmt.Fprintf(stderr, "WARNING: %s%s: %s\n", at, w.RuleName, w.Detail)
	}
}

// printResults prints the findings as `docker buildx build --check` does. A mistake in the build
// file is in the error.
func printResults(w io.Writer, format string, results *lint.LintResults) error {
	switch {
	case format == "json":
		return printJSON(w, results)
	case results.Error != nil && len(results.Warnings) == 0:
		return nil
	}
	printCount(w, len(results.Warnings), "warning")
	return results.PrintTo(w, nil)
}

func printCount(w io.Writer, count int, what string) {
	switch count {
	case 0:
		fmt.Fprintf(w, "Check complete, no %ss found.\n", what)
	case 1:
		fmt.Fprintf(w, "Check complete, 1 %s has been found!\n", what)
	default:
		fmt.Fprintf(w, "Check complete, %d %ss have been found!\n", count, what)
	}
}

func printRules(w io.Writer, format string) error {
	if format == "json" {
		type rule struct {
			rules.Rule
			URL string `json:"url"`
		}
		var all []rule
		for _, r := range rules.All() {
			all = append(all, rule{r, r.URL()})
		}
		return printJSON(w, all)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "RULE\tLEVEL\tFILES\tDESCRIPTION")
	for _, r := range rules.All() {
		level := "warning"
		if r.Experimental {
			level = "experimental"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", r.Name, level, strings.Join(r.Files, ", "), r.Description)
	}
	return table.Flush()
}

func printJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}
