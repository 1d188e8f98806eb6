package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"text/tabwriter"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"github.com/samforge/samforge/internal/builder"
)

func pruneCommand() *cobra.Command {
	var force, dryRun bool
	c := &cobra.Command{
		Use:   "prune",
		Short: "Remove the caches of samforge's own builders",
		Long: `Remove what samforge keeps on this machine: the caches of the buildkitd that it starts where no
other builder is found. What a running samforge uses stays.

The cache of a builder that --builder or BUILDKIT_HOST names is its own: buildctl prune, or docker
buildx prune.

Exit codes: 0 done, 1 a folder could not be removed, 2 nobody could be asked: add --force.`,
		Example: `  samforge prune --dry-run
  samforge prune --force`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if runtime.GOOS != "linux" {
				fmt.Fprintf(c.ErrOrStderr(), "samforge: on %s samforge starts no builder, and keeps no cache\n", runtime.GOOS)
				return nil
			}
			var o builder.Options
			folders, err := o.StateFolders()
			if err != nil {
				return err
			}
			unused := printFolders(c, folders)
			switch {
			case len(unused) == 0 || dryRun:
				return nil
			case force:
			case !isTerminal(c.InOrStdin()):
				return &usageError{errors.New("there is no terminal to ask on: add --force to remove the folders, or --dry-run only to list them")}
			default:
				yes, err := confirm(c, "Remove the folders that are not in use? [y/N] ")
				if err != nil {
					return err
				}
				if !yes {
					fmt.Fprintln(c.ErrOrStderr(), "samforge: nothing was removed")
					return nil
				}
			}
			return removeFolders(c, unused, o.RemoveState)
		},
	}
	c.Flags().BoolVarP(&force, "force", "f", false, "do not ask")
	c.Flags().BoolVar(&dryRun, "dry-run", false, "remove nothing, and list what would be removed")
	return c
}

// confirm asks a question that y answers. It ends with the context, as a read of a terminal does not.
func confirm(c *cobra.Command, question string) (bool, error) {
	fmt.Fprint(c.ErrOrStderr(), question)
	answers := make(chan string, 1)
	go func() {
		answer, _ := bufio.NewReader(c.InOrStdin()).ReadString('\n')
		answers <- answer
	}()
	select {
	case <-c.Context().Done():
		fmt.Fprintln(c.ErrOrStderr())
		return false, context.Cause(c.Context())
	case answer := <-answers:
		return strings.HasPrefix(strings.ToLower(strings.TrimSpace(answer)), "y"), nil
	}
}

// removeFolders removes folders, and says how many and how much.
func removeFolders(c *cobra.Command, folders []builder.StateFolder, remove func(ctx context.Context, dir string) error) error {
	var errs []error
	var bytes int64
	removed := 0
	for _, folder := range folders {
		if err := remove(c.Context(), folder.Path); err != nil {
			errs = append(errs, err)
			continue
		}
		removed++
		bytes += folder.Bytes
	}
	what := "folders"
	if removed == 1 {
		what = "folder"
	}
	fmt.Fprintf(c.ErrOrStderr(), "samforge: removed %d %s, %s\n", removed, what, units.HumanSize(float64(bytes)))
	return errors.Join(errs...)
}

// printFolders lists folders, and returns those that are not in use.
func printFolders(c *cobra.Command, folders []builder.StateFolder) (unused []builder.StateFolder) {
	var total int64
	table := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
	for _, folder := range folders {
		note := ""
		if folder.InUse {
			note = "in use, stays"
		} else {
			unused = append(unused, folder)
			total += folder.Bytes
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", folder.Path, units.HumanSize(float64(folder.Bytes)), note)
	}
	fmt.Fprintf(table, "Total reclaimable\t%s\t\n", units.HumanSize(float64(total)))
	_ = table.Flush()
	return unused
}
