package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/frontend/subrequests/lint"
	"github.com/moby/buildkit/solver/pb"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/samforge/samforge/internal/build"
	"github.com/samforge/samforge/internal/lambda"
	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/internal/registry"
)

// isImage reports whether the argument of check is an image. A folder or a file with that name
// wins, and so does a git repository, such as github.com/samforge/samforge.
func isImage(arg string) bool {
	if _, err := os.Stat(arg); err == nil {
		return false
	}
	_, isGit, _ := dockerui.DetectGitContext(arg, nil)
	return !isGit && registry.IsReference(arg)
}

// checkImage prints what Lambda would refuse about an image in a registry. Of the uncompressed
// size of the image only a part is known, because a manifest has the compressed sizes.
func (f *buildFlags) checkImage(c *cobra.Command, ref, platform, format string) error {
	var function lambda.Function
	if platform != "" {
		os, architecture, _ := strings.Cut(platform, "/")
		var ok bool
		if function.Architecture, ok = lambda.ArchitectureOf(os, architecture); !ok {
			return &usageError{fmt.Errorf("--platform %s: Lambda has linux/amd64 and linux/arm64", platform)}
		}
	}
	var extra []string
	c.Flags().Visit(func(flag *pflag.Flag) {
		if flag.Name != "platform" && flag.Name != "format" {
			extra = append(extra, "--"+flag.Name)
		}
	})
	if len(extra) > 0 {
		return &usageError{fmt.Errorf("%s is an image, and %s is for the check of a build file: leave it out", ref, strings.Join(extra, " "))}
	}
	var err error
	if f.build.Silence, err = silence(); err != nil {
		return &usageError{err}
	}
	client := f.registries(c)
	found, err := lambda.CheckWith(function, build.ReadImage(c.Context(), client, ref))
	if registry.Absent(err) {
		return project.BadInput(err)
	}
	if err == nil {
		err = printFindings(c.OutOrStdout(), format, found)
	}
	if err == nil && len(found) > 0 {
		err = errFindings
	}
	return err
}

// printFindings prints findings about an image in the form of those about a build file. They also
// have a level.
func printFindings(w io.Writer, format string, found []lambda.Finding) error {
	if format == "json" {
		type warning struct {
			lint.Warning
			Level lambda.Level `json:"level"`
		}
		warnings := []warning{} // [] in JSON, and not null
		for _, f := range found {
			warnings = append(warnings, warning{lint.Warning{RuleName: f.Rule.Name, Description: f.Rule.Description, URL: f.Rule.URL(), Detail: f.Message}, f.Level})
		}
		return printJSON(w, struct {
			Warnings []warning        `json:"warnings"`
			Sources  []*pb.SourceInfo `json:"sources"`
		}{warnings, []*pb.SourceInfo{}})
	}
	printCount(w, len(found), "problem")
	for _, f := range found {
		fmt.Fprintf(w, "\n%s: %s - %s\n%s\n", strings.ToUpper(string(f.Level)), f.Rule.Name, f.Rule.URL(), f.Message)
	}
	return nil
}
