package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set when a release is built: -ldflags "-X main.version=v1.2.3".
var version = ""

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of samforge and of the BuildKit it was built with",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return printVersion(c.OutOrStdout())
		},
	}
}

func printVersion(out io.Writer) error {
	own, buildkit := versions()
	_, err := fmt.Fprintf(out, "samforge %s\nbuildkit %s\n%s %s/%s\n", own, buildkit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// versions returns the versions that the Go toolchain recorded in the binary.
func versions() (own, buildkit string) {
	own, buildkit = version, "unknown"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return own, buildkit
	}
	if own == "" {
		own = info.Main.Version
	}
	for _, dep := range info.Deps {
		if dep.Path == "github.com/moby/buildkit" {
			buildkit = dep.Version
		}
	}
	return own, buildkit
}
