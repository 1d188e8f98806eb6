package main

import (
	"bufio"
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
				fmt.Fprint(c.ErrOrStderr(), "Remove the folders that are not in use? [y/N] ")
				answer, _ := bufio.NewReader(c.InOrStdin()).ReadString('\n')
				if !strings.HasPrefix(strings.ToLower(answer), "y") {
					return nil
				}
			}
			var errs []error
			for _, folder := range unused {
				errs = append(errs, o.RemoveState(c.Context(), folder.Path))
			}
			return errors.Join(errs...)
		},
	}
	c.Flags().BoolVarP(&force, "force", "f", false, "do not ask")
	c.Flags().BoolVar(&dryRun, "dry-run", false, "remove nothing, and list what would be removed")
	return c
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
