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

	"github.com/moby/buildkit/util/archiveutil"
	digest "github.com/opencontainers/go-digest"

	"github.com/samforge/samforge/internal/elf"
	"github.com/samforge/samforge/llbgen"
)

// checksum fetches a file, once, and returns its checksum.
func (l *Lookup) checksum(ctx context.Context, d llbgen.Download) (digest.Digest, error) {
	once, _ := l.sums.LoadOrStore(d.URL, sync.OnceValues(func() (digest.Digest, error) { return download(ctx, d) }))
	return once.(func() (digest.Digest, error))()
}

func download(ctx context.Context, d llbgen.Download) (_ digest.Digest, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.URL, nil)
	if err != nil {
		return "", err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	if res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("the server says %s", res.Status)
	}
	hash := sha256.New()
	body := bufio.NewReader(io.TeeReader(res.Body, hash))
	if err := checkContent(body, d); err != nil {
		return "", err
	}
	if _, err := io.Copy(io.Discard, body); err != nil {
		return "", err
	}
	return digest.NewDigest(digest.SHA256, hash), nil
}

// headSize is as much of a file as tells what it is.
const headSize = 512

// checkContent returns an error unless a download is what the image needs: a build would fail with
// it, and a lock file would pin it.
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

// checkArchive looks for the file that is taken out of the archive.
func checkArchive(body io.Reader, d llbgen.Download) error {
	unzipped, err := gzip.NewReader(body)
	if err != nil {
		return fmt.Errorf("the archive cannot be read: %w", err)
	}
	archive := tar.NewReader(unzipped)
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
