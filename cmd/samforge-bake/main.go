// Command samforge-bake reads the files of docker buildx bake for samforge, which runs it.
package main

import (
	"context"
	"fmt"
	"io"
	stdlog "log"
	"os"
	"os/signal"
	"syscall"

	"github.com/containerd/log"

	"github.com/samforge/samforge/internal/bakefile"
	"github.com/samforge/samforge/internal/bakefile/reader"
)

// version is set by the linker.
var version = "unknown"

func main() {
	if len(os.Args) > 1 {
		fmt.Fprintf(os.Stderr, "samforge-bake %s reads bake files for samforge, which runs it: set PLUGIN_BAKE_FILE and run samforge plugin\n", version)
		os.Exit(2)
	}
	// Libraries log the same text as their errors.
	_ = log.SetLevel("panic")
	stdlog.SetOutput(io.Discard)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := bakefile.Serve(ctx, os.Stdin, os.Stdout, reader.Read); err != nil {
		fmt.Fprintln(os.Stderr, "samforge-bake: "+err.Error())
		os.Exit(1)
	}
}
