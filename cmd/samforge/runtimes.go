package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/samforge/samforge/catalogue"
)

func runtimesCommand() *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:   "runtimes [flags]",
		Short: "List the Lambda runtimes that base images exist for",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			known, err := catalogue.Load()
			if err != nil {
				return err
			}
			switch format {
			case "table":
				return runtimesTable(c.OutOrStdout(), known, time.Now())
			case "markdown":
				return runtimesMarkdown(c.OutOrStdout(), known, time.Now())
			case "json":
				encoder := json.NewEncoder(c.OutOrStdout())
				encoder.SetIndent("", "  ")
				return encoder.Encode(known.Runtimes())
			default:
				return &usageError{fmt.Errorf("--format %q: use table, markdown or json", format)}
			}
		},
	}
	c.Flags().StringVar(&format, "format", "table", "`format` of the list: table, markdown or json")
	completeFlag(c, "format", "table", "markdown", "json")
	return c
}

func runtimesTable(w io.Writer, known *catalogue.Catalogue, today time.Time) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "RUNTIME\tOS\tARCHITECTURES\tSTATUS\tEND OF LIFE\tNODE.JS IMAGES")
	for _, r := range known.Runtimes() {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", r.Name, r.OS,
			strings.Join(r.Architectures, ","), r.StatusOn(today), orDash(r.EOL), orDash(strings.Join(r.Nodes, ",")))
	}
	return table.Flush()
}

// runtimesMarkdown writes the table of docs/compatibility.md.
func runtimesMarkdown(w io.Writer, known *catalogue.Catalogue, today time.Time) error {
	var table strings.Builder
	table.WriteString("| runtime | OS | architectures | status | end of life | node images |\n|---|---|---|---|---|---|\n")
	for _, r := range known.Runtimes() {
		fmt.Fprintf(&table, "| `%s` | `%s` | %s | %s | %s | %s |\n", r.Name, r.OS,
			strings.Join(r.Architectures, ", "), r.StatusOn(today), orDash(r.EOL), orDash(strings.Join(r.Nodes, ", ")))
	}
	_, err := io.WriteString(w, table.String())
	return err
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
