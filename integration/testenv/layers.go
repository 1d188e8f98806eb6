// Layers made from tar entries: the same bytes every time, kept on disk, never
// whole in memory.

package testenv

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"os"
	"path"
	"runtime"
	"strings"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// epoch is the time of everything in a stand-in.
var epoch = time.Date(2025, 9, 11, 3, 1, 38, 0, time.UTC)

// File is an entry of a layer, owned by root. With Dir it is a directory, with Link a symbolic
// link, else a regular file. Mode has the permission bits; 0 means 0755 for a directory and 0644
// for a file. Directories above it need not be listed.
type File struct {
	Path string
	Mode int64
	Data []byte
	Link string
	Dir  bool
}

// Layer describes the content of a layer. Equal values give equal digests, on any machine with the
// same Go.
type Layer struct {
	Files []File
	// Incompressible adds a file of that many pseudo-random bytes as /usr/lib/standin/<Blob>, so
	// that the compressed layer is about as large. The bytes depend only on the name.
	Incompressible int64
	Blob           string
	// Programs adds files of 64 KiB below /usr/lib/standin/<Blob>.d, that many bytes in all. They
	// compress like machine code (see [Pad]): to half their size here. Pulling and unpacking the
	// layer is then as much work as for a real one.
	Programs int64

	kept *layer // a finished one, see keptLayer; then the rest is empty
}

// layer implements v1.Layer on a file in the cache.
type layer struct {
	path      string
	mediaType types.MediaType
	meta      layerMeta
}

type layerMeta struct {
	Digest v1.Hash
	DiffID v1.Hash
	Size   int64
}

var _ v1.Layer = (*layer)(nil)

func (l *layer) Digest() (v1.Hash, error)             { return l.meta.Digest, nil }
func (l *layer) DiffID() (v1.Hash, error)             { return l.meta.DiffID, nil }
func (l *layer) Size() (int64, error)                 { return l.meta.Size, nil }
func (l *layer) MediaType() (types.MediaType, error)  { return l.mediaType, nil }
func (l *layer) Compressed() (io.ReadCloser, error)   { return os.Open(l.path) }
func (l *layer) Uncompressed() (io.ReadCloser, error) { return gunzipFile(l.path) }

var layerLocks sync.Map // cache path -> *sync.Mutex

// build makes the layer, or finds it in the cache.
func (l Layer) build(mediaType types.MediaType) (v1.Layer, error) {
	if l.kept != nil {
		kept := *l.kept
		kept.mediaType = mediaType
		return &kept, nil
	}
	cached, err := cachePath("layer", "2", runtime.Version(), l.key())
	if err != nil {
		return nil, err
	}
	lock, _ := layerLocks.LoadOrStore(cached, &sync.Mutex{})
	lock.(*sync.Mutex).Lock()
	defer lock.(*sync.Mutex).Unlock()

	built := &layer{path: cached, mediaType: mediaType}
	if data, err := os.ReadFile(cached + ".json"); err == nil && json.Unmarshal(data, &built.meta) == nil {
		if info, err := os.Stat(cached); err == nil && info.Size() == built.meta.Size {
			return built, nil
		}
	}
	err = writeCached(cached, func(out *os.File) (err error) {
		built.meta, err = l.write(out)
		return err
	})
	if err == nil {
		err = writeCached(cached+".json", func(out *os.File) error { return json.NewEncoder(out).Encode(built.meta) })
	}
	if err != nil {
		return nil, fmt.Errorf("making a layer: %w", err)
	}
	return built, nil
}

// key identifies the layer's content.
func (l Layer) key() string {
	sum := sha256.New()
	fmt.Fprintf(sum, "%d %q\n", l.Incompressible, l.Blob)
	if l.Programs > 0 {
		fmt.Fprintf(sum, "programs %d\n", l.Programs)
	}
	for _, f := range l.Files {
		fmt.Fprintf(sum, "%q %o %q %t %d\n", f.Path, f.Mode, f.Link, f.Dir, len(f.Data))
		sum.Write(f.Data)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func (l Layer) write(out io.Writer) (layerMeta, error) {
	// Noise is not worth compressing: with this, 800 MB take seconds.
	level := gzip.BestSpeed
	if l.Incompressible > 0 {
		level = gzip.NoCompression
	}
	return writeLayer(out, level, func(uncompressed io.Writer) error {
		archive := &tarWriter{Writer: tar.NewWriter(uncompressed), dirs: map[string]bool{}}
		for _, f := range l.Files {
			if err := archive.add(f); err != nil {
				return err
			}
		}
		if l.Incompressible > 0 {
			if err := archive.addStream("/usr/lib/standin/"+l.Blob, seeded(l.Blob), l.Incompressible); err != nil {
				return err
			}
		}
		if err := archive.addPrograms("/usr/lib/standin/"+l.Blob+".d", newWords(l.Blob), l.Programs); err != nil {
			return err
		}
		return archive.Close()
	})
}

// writeLayer compresses the output of archive to out.
func writeLayer(out io.Writer, level int, archive func(uncompressed io.Writer) error) (layerMeta, error) {
	compressed := &sizedHash{Hash: sha256.New()}
	zip, err := gzip.NewWriterLevel(io.MultiWriter(out, compressed), level)
	if err != nil {
		return layerMeta{}, err
	}
	diff := sha256.New()
	if err := archive(io.MultiWriter(zip, diff)); err != nil {
		return layerMeta{}, err
	}
	if err := zip.Close(); err != nil {
		return layerMeta{}, err
	}
	return layerMeta{Digest: sha256Hash(compressed), DiffID: sha256Hash(diff), Size: compressed.size}, nil
}

// tarWriter writes entries and the directories above them.
type tarWriter struct {
	*tar.Writer
	dirs map[string]bool
}

func (t *tarWriter) add(f File) error {
	entry := strings.TrimPrefix(path.Clean(f.Path), "/")
	if err := t.parents(entry); err != nil {
		return err
	}
	header := &tar.Header{Name: entry, Mode: f.Mode, ModTime: epoch, Format: tar.FormatPAX}
	switch {
	case f.Dir:
		header.Typeflag, header.Name = tar.TypeDir, entry+"/"
		t.dirs[entry] = true
	case f.Link != "":
		header.Typeflag, header.Linkname = tar.TypeSymlink, f.Link
		header.Mode = 0o777
	default:
		header.Typeflag, header.Size = tar.TypeReg, int64(len(f.Data))
	}
	if header.Mode == 0 {
		header.Mode = 0o644
		if f.Dir {
			header.Mode = 0o755
		}
	}
	if err := t.WriteHeader(header); err != nil {
		return fmt.Errorf("adding %s: %w", f.Path, err)
	}
	_, err := t.Write(f.Data)
	return err
}

func (t *tarWriter) parents(entry string) error {
	dir := path.Dir(entry)
	if dir == "." || t.dirs[dir] {
		return nil
	}
	return t.add(File{Path: dir, Dir: true})
}

func (t *tarWriter) addStream(name string, from io.Reader, size int64) error {
	entry := strings.TrimPrefix(name, "/")
	if err := t.parents(entry); err != nil {
		return err
	}
	err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: entry, Mode: 0o644, Size: size, ModTime: epoch, Format: tar.FormatPAX})
	if err == nil {
		_, err = io.CopyN(t, from, size)
	}
	return err
}

// addPrograms adds files of 64 KiB to a directory.
func (t *tarWriter) addPrograms(dir string, from io.Reader, size int64) error {
	const each = 64 << 10
	for i := int64(0); i < size/each; i++ {
		if err := t.addStream(fmt.Sprintf("%s/%03d/%03d", dir, i/1000, i%1000), from, each); err != nil {
			return err
		}
	}
	return nil
}

type sizedHash struct {
	hash.Hash
	size int64
}

func (s *sizedHash) Write(data []byte) (int, error) {
	s.size += int64(len(data))
	return s.Hash.Write(data)
}

func sha256Hash(sum hash.Hash) v1.Hash {
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum.Sum(nil))}
}

func gunzipFile(path string) (io.ReadCloser, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	zip, err := gzip.NewReader(in)
	if err != nil {
		in.Close()
		return nil, err
	}
	return readCloser{zip, in}, nil
}

type readCloser struct {
	io.Reader
	io.Closer
}
