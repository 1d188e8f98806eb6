package llbgen

import (
	"context"
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/moby/buildkit/client/llb"
	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/catalogue"
	"github.com/samforge/samforge/internal/placeholder"
)

// urlFields are the values of the placeholders of a URL, which also has .Machine.
type urlFields struct {
	Version string
	Arch    string // amd64, arm64
}

// expandURL fills in the placeholders of a URL.
func expandURL(text string, fields urlFields) (string, error) {
	url, err := placeholder.Fill(text, map[string]string{
		"Version": fields.Version, "Arch": fields.Arch, "Machine": catalogue.Machine(fields.Arch),
	})
	if err != nil {
		return "", fmt.Errorf("the placeholders of the URL: %w", err)
	}
	return url, nil
}

var hexSHA256 = regexp.MustCompile(`^[a-f0-9]{64}$`)

// parseSHA256 accepts 64 hexadecimal digits, with or without "sha256:".
func parseSHA256(s string) (digest.Digest, error) {
	sum := strings.ToLower(strings.TrimPrefix(s, "sha256:"))
	if !hexSHA256.MatchString(sum) {
		return "", fmt.Errorf("%q is not a SHA-256 sum: expected 64 hexadecimal digits", s)
	}
	return digest.NewDigestFromEncoded(digest.SHA256, sum), nil
}

// download is a file fetched over HTTP and pinned by its checksum.
type download struct {
	state llb.State
	name  string // the file's name in the state
	url   string // before mirrors
	sum   digest.Digest
}

// content says what a download must contain.
type content struct {
	path    string // of the file in the archive; empty if the download is that file
	program bool   // the file is a program
}

// Download is a file that is fetched over HTTP, and says what it must contain.
type Download struct {
	URL, Filename string
	// Path is the file that is taken out of the archive; empty if the download is that file.
	Path string
	// Program is true if that file must be an executable for Platform.
	Program  bool
	Platform ocispecs.Platform
}

// fetch downloads url, or its mirror. The checksum is the given one, else a known one, else the
// current one with a warning that says how to pin it. pin is the key of the build file to pin it
// with, with %s for the checksum.
func (b *build) fetch(ctx context.Context, field, url, given, pin string, want content) (download, error) {
	from, name := b.plan.File.Mirrors.URL(url), fileName(url)
	sum, err := b.sum(ctx, field, url, given, pin, want)
	if err != nil {
		return download{}, err
	}
	opts := []llb.HTTPOption{llb.Filename(name)}
	if sum != "" {
		opts = append(opts, llb.Checksum(sum))
	}
	b.input(Input{Kind: InputDownload, Field: field, Name: url, Digest: sum})
	for _, o := range b.step(field, "download %s", url) {
		opts = append(opts, o)
	}
	return download{state: llb.HTTP(from, opts...), name: name, url: url, sum: sum}, nil
}

// plainName is a file name that means itself everywhere.
var plainName = regexp.MustCompile(`^[A-Za-z0-9_~%+=,@-][A-Za-z0-9._~%+=,@-]{0,99}$`)

// fileName returns the name to download a URL to: its last part, without the query. A signed URL
// has a query that is longer than a file name can be. Any other name that is not plain is replaced.
func fileName(url string) string {
	url, _, _ = strings.Cut(url, "#")
	url, _, _ = strings.Cut(url, "?")
	if name := path.Base(url); plainName.MatchString(name) {
		return name
	}
	return "download"
}

// sum returns the checksum of a download: the given or known one, which must agree with the lock
// file; else the lock file's; else the current one. It is empty if none of these is available.
func (b *build) sum(ctx context.Context, field, url, given, pin string, want content) (digest.Digest, error) {
	locked, err := b.lockedSum(field, url, func(l *Lockfile) map[string]digest.Digest { return l.Downloads })
	if err != nil {
		return "", err
	}
	sum, known := b.plan.checksums.ForURL(url, b.arch())
	whose := "its known checksum"
	if given != "" {
		sum, _ = parseSHA256(given) // validated on load
		known, whose = true, "the checksum in the build file"
	}
	switch {
	case known && locked != "" && sum != locked:
		return "", b.lockMismatch(url, locked, sum, whose)
	case known:
		return sum, nil
	case locked != "":
		return locked, nil
	case b.opt.Checksum == nil:
		b.findf(RuleUnverifiedDownload, field, "%s is not checked against a known checksum: run samforge lock, or give one with %s", url, fmt.Sprintf(pin, "SUM"))
		return "", nil
	}
	from := b.plan.File.Mirrors.URL(url)
	d := Download{URL: from, Filename: fileName(from), Path: want.path, Program: want.program, Platform: b.opt.Platform}
	if sum, err = b.opt.Checksum(ctx, d); err != nil {
		return "", fmt.Errorf("download %s (check the version, or set mirrors): %w", from, err)
	}
	b.findf(RuleUnverifiedDownload, field, "%s is not checked against a known checksum: run samforge lock, or pin what it is today with %s", url, fmt.Sprintf(pin, sum.Encoded()))
	return sum, nil
}

// pinByArch is the key that pins a download for the target's architecture.
func (b *build) pinByArch() string { return "sha256: {" + b.arch() + ": %s}" }
