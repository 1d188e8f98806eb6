package printer

import (
	"io"
	"os"

	"github.com/containerd/console"
)

// File is standard output or standard error. What people read is masked and escaped.
type File struct {
	*os.File
	secrets *Secrets
	people  bool
}

// Stderr returns standard error, which people read.
func Stderr(secrets *Secrets) *File { return &File{os.Stderr, secrets, true} }

// Stdout returns standard output. Programs may read it, and get the bytes as they are; a terminal
// does not.
func Stdout(secrets *Secrets) *File {
	_, err := console.ConsoleFromFile(os.Stdout)
	return &File{os.Stdout, secrets, err == nil}
}

// Write writes a text. One secret or character must not be spread over two writes.
func (f *File) Write(p []byte) (int, error) { return len(p), f.write(string(p)) }

// WriteString is Write.
func (f *File) WriteString(s string) (int, error) { return len(s), f.write(s) }

// ReadFrom keeps io.Copy from going around Write.
func (f *File) ReadFrom(r io.Reader) (int64, error) { return io.Copy(struct{ io.Writer }{f}, r) }

func (f *File) write(text string) error {
	if f.people {
		text = f.secrets.Text(text)
	}
	_, err := f.File.WriteString(text)
	return err
}

// Raw returns what a writer writes to, for who masks and escapes on their own and must steer the
// terminal.
func Raw(w io.Writer) io.Writer {
	if f, ok := w.(*File); ok {
		return f.File
	}
	return w
}
