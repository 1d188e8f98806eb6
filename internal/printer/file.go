package printer

import (
	"io"
	"os"

	"github.com/containerd/console"
)

// File is standard output or standard error. It masks and escapes what people read.
type File struct {
	*os.File
	secrets *Secrets
	people  bool
}

// Stderr returns standard error, which people read.
func Stderr(secrets *Secrets) *File { return &File{os.Stderr, secrets, true} }

// Stdout returns standard output. A program that reads it gets the bytes unchanged; a terminal does
// not.
func Stdout(secrets *Secrets) *File {
	return &File{os.Stdout, secrets, IsTerminal(os.Stdout)}
}

// IsTerminal reports whether w writes to a terminal.
func IsTerminal(w io.Writer) bool {
	file, ok := Raw(w).(*os.File)
	if !ok {
		return false
	}
	_, err := console.ConsoleFromFile(file)
	return err == nil
}

// Write writes a text. A secret or a character must not be split over two writes.
func (f *File) Write(p []byte) (int, error) { return len(p), f.write(string(p)) }

// WriteString is Write.
func (f *File) WriteString(s string) (int, error) { return len(s), f.write(s) }

// ReadFrom keeps io.Copy from bypassing Write.
func (f *File) ReadFrom(r io.Reader) (int64, error) { return io.Copy(struct{ io.Writer }{f}, r) }

func (f *File) write(text string) error {
	if f.people {
		if f.annotateWarning(text) {
			return nil
		}
		text = f.secrets.Text(text)
	}
	_, err := f.File.WriteString(text)
	return err
}

// workflow returns the CI system whose log people read.
func (f *File) workflow() Workflow {
	if !f.people {
		return ""
	}
	return f.secrets.Workflow
}

// Raw returns the writer below w, for code that masks and escapes by itself and must control the
// terminal.
func Raw(w io.Writer) io.Writer {
	if f, ok := w.(*File); ok {
		return f.File
	}
	return w
}
