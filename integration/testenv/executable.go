// Stand-in programs: real static ELF files of the right name, version and machine.

package testenv

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

var executables sync.Map // cache path -> *sync.Mutex, so that each is built once

// goVersion asks go for its version, once: a test bed has some hundred programs.
var goVersion = sync.OnceValues(func() (string, error) {
	version, err := exec.Command("go", "env", "GOVERSION").Output()
	return string(version), err
})

// Executable returns a static Linux program for arch (amd64 or arm64) that answers `--version` like
// the named program at that version; integration/testenv/standin documents its other commands. It
// is cross-compiled once and kept in the user's cache directory.
func Executable(ctx context.Context, name, arch, version string) ([]byte, error) {
	if arch != "amd64" && arch != "arm64" {
		return nil, fmt.Errorf("no stand-in program for the architecture %q: use amd64 or arm64", arch)
	}
	root, err := repositoryRoot()
	if err != nil {
		return nil, err
	}
	source := filepath.Join(root, "integration", "testenv", "standin")
	code, err := os.ReadFile(filepath.Join(source, "main.go"))
	if err != nil {
		return nil, fmt.Errorf("reading the stand-in program: %w", err)
	}
	compiler, err := goVersion()
	if err != nil {
		return nil, fmt.Errorf("asking go for its version: %w", err)
	}
	cached, err := cachePath("program", string(code), compiler, name, arch, version)
	if err != nil {
		return nil, err
	}
	lock, _ := executables.LoadOrStore(cached, &sync.Mutex{})
	lock.(*sync.Mutex).Lock()
	defer lock.(*sync.Mutex).Unlock()
	if data, err := os.ReadFile(cached); err == nil {
		return data, nil
	}

	err = writeCached(cached, func(out *os.File) error {
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false",
			"-ldflags", fmt.Sprintf("-s -w -buildid= -X main.name=%s -X main.version=%s", name, version),
			"-o", out.Name(), ".")
		cmd.Dir = source
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch, "GOFLAGS=", "GOWORK=off")
		if output, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, output)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("building the stand-in for %s %s: %w", name, version, err)
	}
	return os.ReadFile(cached)
}

// Pad returns data with deterministic bytes appended up to size; longer data stays as it is. An ELF
// file tolerates them, and gzip compresses them to a little over a third, like machine code.
func Pad(data []byte, size int) []byte {
	if len(data) >= size {
		return data
	}
	out := make([]byte, size)
	n := copy(out, data)
	_, _ = newWords("pad").Read(out[n:]) // never fails
	return out
}

// words is an endless text of 8-byte words from a small vocabulary, with a literal byte now and
// then. A word that does not fit into a Read is lost.
type words struct {
	random     *randReader
	vocabulary [1 << 11][8]byte
}

var _ io.Reader = (*words)(nil)

// newWords always returns the same text for the same seed.
func newWords(seed string) *words {
	w := &words{random: seeded(seed)}
	for i := range w.vocabulary {
		binary.LittleEndian.PutUint64(w.vocabulary[i][:], w.random.Uint64())
	}
	return w
}

func (w *words) Read(p []byte) (int, error) {
	for n := 0; n < len(p); {
		random := w.random.Uint64()
		n += copy(p[n:], w.vocabulary[random%uint64(len(w.vocabulary))][:])
		if random>>32%4 == 0 && n < len(p) {
			p[n] = byte(random >> 40)
			n++
		}
	}
	return len(p), nil
}

// seeded always returns the same pseudo-random bytes for the same text.
func seeded(text string) *randReader {
	return &randReader{rand.NewChaCha8(sha256.Sum256([]byte(text)))}
}

type randReader struct{ *rand.ChaCha8 }

var _ io.Reader = (*randReader)(nil)

// cachePath returns the path where the result of the parts is kept between runs.
func cachePath(kind string, parts ...string) (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding the user's cache directory: %w", err)
	}
	dir := filepath.Join(base, "samforge-testenv")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("making the cache directory: %w", err)
	}
	sum := sha256.Sum256([]byte(strings.Join(append([]string{kind}, parts...), "\x00")))
	return filepath.Join(dir, kind+"-"+hex.EncodeToString(sum[:12])), nil
}

// writeCached writes a file in the cache under a temporary name and then renames it, so that nobody
// ever sees half a file.
func writeCached(path string, write func(*os.File) error) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), "new-*")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name()) // fails after the rename
	err = write(temporary)
	if closeErr := temporary.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Chmod(temporary.Name(), 0o644)
	}
	if err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	return err
}
