package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/moby/buildkit/frontend/subrequests/lint"
	"github.com/spf13/cobra"

	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/llbgen"
)

// errFindings says that a check found something. The findings are on standard output.
var errFindings = errors.New("the check found something")

func checkCommand() *cobra.Command {
	var f buildFlags
	var format string
	var rules bool
	c := &cobra.Command{
		Use:   "check [flags] [CONTEXT]",
		Short: "Check a build file without building anything",
		Long: `Check a build file for mistakes, and for things that should change: images that move, runtimes
past their end of life, downloads without a checksum and more. Nothing is built or pulled.

--rules lists the rules, and docs/rules.md explains them. A build file can skip some
of them in its first lines: # check=skip=RULE,RULE

Exit codes: 0 nothing was found, 1 a rule found something, 2 the input is wrong.`,
		Example: `  samforge check
  samforge check -f images/samforge.yaml --format json`,
		Args: oneContext,
		RunE: func(c *cobra.Command, args []string) error {
			if format != "text" && format != "json" {
				return &usageError{fmt.Errorf("--format %q: use text or json", format)}
			}
			if rules {
				return printRules(c.OutOrStdout(), format)
			}
			opt, err := f.options(c, args)
			if err != nil {
				return err
			}
			results, err := project.Check(c.Context(), opt)
			if results != nil {
				err = errors.Join(err, printResults(c.OutOrStdout(), format, results))
			}
			if err == nil && len(results.Warnings) > 0 {
				err = errFindings
			}
			return err
		},
	}
	f.registerFile(c)
	c.Flags().StringVar(&format, "format", "text", "`format` of the findings: text or json")
	c.Flags().BoolVar(&rules, "rules", false, "list the rules")
	completeFlag(c, "format", "text", "json")
	return c
}

// printResults prints the findings as `docker buildx build --check` does. A mistake in the build
// file is in the error.
func printResults(w io.Writer, format string, results *lint.LintResults) error {
	count := len(results.Warnings)
	switch {
	case format == "json":
		return printJSON(w, results)
	case results.Error != nil:
		return nil
	case count == 0:
		_, err := fmt.Fprintln(w, "Check complete, no warnings found.")
		return err
	case count == 1:
		fmt.Fprintln(w, "Check complete, 1 warning has been found!")
	default:
		fmt.Fprintf(w, "Check complete, %d warnings have been found!\n", count)
	}
	return results.PrintTo(w, nil)
}

func printRules(w io.Writer, format string) error {
	if format == "json" {
		type rule struct {
			llbgen.Rule
			URL string `json:"url"`
		}
		var rules []rule
		for _, r := range llbgen.Rules() {
			rules = append(rules, rule{r, r.URL()})
		}
		return printJSON(w, rules)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "RULE\tLEVEL\tDESCRIPTION")
	for _, r := range llbgen.Rules() {
		level := "warning"
		if r.Experimental {
			level = "experimental"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", r.Name, level, r.Description)
	}
	return table.Flush()
}

func printJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}
