package llbgen

import (
	"context"
	"fmt"
	"strings"

	"github.com/moby/buildkit/client/llb"
)

// frameworkArchiveURL is where the vendor publishes the releases of Serverless
// Framework 4, without checksums. The npm package of that name is an installer
// that fetches whatever release it finds at run time.
const frameworkArchiveURL = "https://install.serverless.com/archives/serverless-{{.Version}}.tgz"

// frameworkArchiveNode is the oldest Node.js that Serverless Framework 4 takes,
// by the engines of its npm package; minor versions are not told by a tag.
const frameworkArchiveNode = "18"

// The places in a release archive and in the image.
const (
	archivePackage = "/package"
	frameworkCore  = frameworkDir + "/package/dist/sf-core.js"
)

// fromArchive reports whether the framework is a release archive and no npm
// package.
func (s Serverless) fromArchive() bool {
	return s.Flavor == DefaultFlavor && strings.HasPrefix(s.Version, "4.")
}

// frameworkArchive adds a release of Serverless Framework 4. Its dependencies
// are in the archive: nothing is executed, and nothing is installed at run time.
// A licence key is no part of the image; the framework takes it from the
// environment that it runs in.
func (b *build) frameworkArchive(ctx context.Context) (*Layer, error) {
	s := b.plan.File.serverless()
	url, err := expandURL(frameworkArchiveURL, urlFields{Version: s.Version, Arch: b.arch()})
	if err != nil {
		return nil, err
	}
	archive, err := b.fetch(ctx, "serverless", url, s.SHA256, "sha256: %s", content{path: strings.TrimPrefix(frameworkCore, frameworkDir+"/")})
	if err != nil {
		return nil, b.plan.At("serverless", err)
	}
	unpacked := llb.Scratch().File(
		llb.Copy(archive.state, archive.name, "/", &llb.CopyInfo{AttemptUnpack: true, ChownOpt: rootOwner(), CreatedTime: &b.opt.Epoch}),
		b.step("serverless", "unpack %s", url)...)
	release := b.tree()
	release.ExcludePatterns = b.foreignPrograms()
	files := llb.Copy(unpacked, archivePackage+"/", frameworkDir+archivePackage+"/", release)
	known := archive.software(s.Flavor, s.Version)
	known.purpose, known.comment = purposeFramework, "The archive has its dependencies in it, which are not named here."
	return b.frameworkLayer(files, frameworkCore, "download "+url, known), nil
}

// foreignPrograms are the copies of esbuild for other platforms, which the
// archive has beside each other.
func (b *build) foreignPrograms() []string {
	other := map[string]string{"amd64": "arm64", "arm64": "x64"}[b.arch()]
	var patterns []string
	for _, platform := range []string{"darwin-*", "win32-*", "linux-" + other} {
		patterns = append(patterns, fmt.Sprintf("**/@esbuild/%s", platform))
	}
	return patterns
}
