// Site writes the documentation as a website: README.md, and the pages in docs, in the order of
// docs/README.md. The result is plain HTML without scripts. It works from a folder, too.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	root := flag.String("root", ".", "`folder` of the repository")
	out := flag.String("o", "bin/site", "`folder` to write the site to")
	flag.Parse()
	if err := run(*root, *out); err != nil {
		fmt.Fprintln(os.Stderr, "site:", err)
		os.Exit(1)
	}
}

func run(root, out string) error {
	site, err := Load(root)
	if err != nil {
		return err
	}
	return site.Write(out)
}
