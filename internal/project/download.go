package project

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"sync"

	"github.com/docker/go-units"
	"github.com/moby/buildkit/util/archiveutil"
	digest "github.com/opencontainers/go-digest"

	"github.com/samforge/samforge/internal/elf"
	"github.com/samforge/samforge/internal/roundtrip"
	"github.com/samforge/samforge/llbgen"
)

// maxDownload is the maximum size in bytes of a download, and of what is unpacked to find a file in
// it: the limit that Lambda has for a whole image. A builder sets no limit of its own.
const maxDownload = 10e9

// checksum fetches a file once and returns its checksum.
func (l *Lookup) checksum(ctx context.Context, d llbgen.Download) (digest.Digest, error) {
	fetch := func() (digest.Digest, error) { return download(ctx, l.Downloads, d, maxDownload) }
	once, _ := l.sums.LoadOrStore(d.URL, sync.OnceValues(fetch))
	return once.(func() (digest.Digest, error))()
}

// download returns the checksum of a file of at most limit bytes. It fetches the file again if the
// server breaks off.
func download(ctx context.Context, transport http.RoundTripper, d llbgen.Download, limit int64) (digest.Digest, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.URL, nil)
	if err != nil {
		return "", err
	}
	client := &http.Client{Transport: transport}
	var sum digest.Digest
	var wrong error // wrong content, which another try would not change
	res, err := roundtrip.Again(ctx, func() (_ *http.Response, err error) {
		res, err := client.Do(req)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, res.Body.Close()) }()
		if res.StatusCode != http.StatusOK {
			return res, nil
		}
		body := &bounded{Reader: res.Body, limit: limit}
		sum, wrong = checksumOf(body, d)
		return res, body.failed
	})
	switch {
	case err != nil:
		return "", err
	case res.StatusCode != http.StatusOK:
		return "", fmt.Errorf("the server says %s", res.Status)
	}
	return sum, wrong
}

// checksumOf returns the checksum of a download, or an error if its content is not what the image
// needs.
func checksumOf(content io.Reader, d llbgen.Download) (digest.Digest, error) {
	hash := sha256.New()
	body := bufio.NewReader(io.TeeReader(content, hash))
	if err := checkContent(body, d); err != nil {
		return "", err
	}
	if _, err := io.Copy(io.Discard, body); err != nil {
		return "", err
	}
	return digest.NewDigest(digest.SHA256, hash), nil
}

// bounded reads at most limit bytes. More bytes are an error.
type bounded struct {
	io.Reader
	limit, read int64
	failed      error // of a Read, other than io.EOF
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if b.read += int64(n); b.read > b.limit {
		err = fmt.Errorf("the file is larger than %s, the most that an image may have", units.HumanSize(float64(b.limit)))
	}
	if err != nil && !errors.Is(err, io.EOF) {
		b.failed = err
	}
	return n, err
}

// headSize is how much of a file is needed to recognize its format.
const headSize = 512

// checkContent returns an error unless a download is what the image needs. A build with another
// file would fail, and a lock file would pin it.
func checkContent(body *bufio.Reader, d llbgen.Download) error {
	head, err := body.Peek(headSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	kind, _, _ := strings.Cut(http.DetectContentType(head), ";")
	switch {
	case len(head) == 0:
		return errors.New("the server sent an empty file")
	case d.Path == "":
		return checkFile(head, d)
	case !archiveutil.IsArchive(head):
		return fmt.Errorf("the file is not an archive but %s", kind)
	case kind == "application/x-gzip":
		return checkArchive(body, d)
	}
	return nil // the builder knows more forms
}

func checkFile(head []byte, d llbgen.Download) error {
	if !d.Program {
		return nil
	}
	if err := elf.CheckProgram(head, d.Platform); err != nil {
		return fmt.Errorf("the file %w", err)
	}
	return nil
}

// checkArchive checks that the archive contains the file that is copied from it.
func checkArchive(body io.Reader, d llbgen.Download) error {
	unzipped, err := gzip.NewReader(body)
	if err != nil {
		return fmt.Errorf("the archive cannot be read: %w", err)
	}
	archive := tar.NewReader(&bounded{Reader: unzipped, limit: maxDownload})
	for {
		entry, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("the archive has no %s", d.Path)
		}
		if err != nil {
			return fmt.Errorf("the archive cannot be read: %w", err)
		}
		if path.Clean("/"+entry.Name) != "/"+d.Path || entry.Typeflag != tar.TypeReg {
			continue
		}
		head, err := io.ReadAll(io.LimitReader(archive, headSize))
		if err == nil {
			err = checkFile(head, d)
		}
		if err != nil {
			return fmt.Errorf("%s in the archive: %w", d.Path, err)
		}
		return nil
	}
}
