package instance

import (
	"bytes"
	"crypto/rand"
	"os"
)

// logs are the output of a runtime and of its extensions, which is passed on as it comes.
type logs struct {
	pipe *os.File // the end that the processes write to

	send    func([]byte)
	marker  []byte // which flush writes, and no process
	flushed chan struct{}
	over    chan struct{} // closed when no process has the pipe any more
	open    bool          // the last line has no newline yet
}

// newLogs starts to read the output.
func newLogs(send func([]byte)) (*logs, error) {
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	// The function's user may open /dev/stdout and /dev/stderr, as in other containers, but not read what
	// is on its way. If that is not possible, it still has what is open.
	_ = writer.Chmod(0o622)
	l := &logs{pipe: writer, send: send, marker: []byte("\x00" + rand.Text() + "\x00"), flushed: make(chan struct{}), over: make(chan struct{})}
	go l.read(reader)
	return l, nil
}

// logBuffer is as much as a pipe holds, in bytes: pipe(7).
const logBuffer = 64 << 10

func (l *logs) read(reader *os.File) {
	defer close(l.over)
	defer reader.Close()
	buffer := make([]byte, logBuffer)
	kept := 0 // bytes in the buffer that may be the beginning of the marker
	for {
		n, err := reader.Read(buffer[kept:])
		rest := buffer[:kept+n]
		for {
			before, after, found := bytes.Cut(rest, l.marker)
			if !found {
				break
			}
			l.pass(before)
			l.endLine()
			l.flushed <- struct{}{}
			rest = after
		}
		if err != nil {
			l.pass(rest)
			l.endLine()
			return
		}
		begun := beginning(rest, l.marker)
		l.pass(rest[:len(rest)-begun])
		kept = copy(buffer, rest[len(rest)-begun:])
	}
}

// beginning returns how many bytes at the end of the text are the beginning of the marker.
func beginning(text, marker []byte) int {
	for n := min(len(text), len(marker)-1); n > 0; n-- {
		if bytes.HasSuffix(text, marker[:n]) {
			return n
		}
	}
	return 0
}

func (l *logs) pass(text []byte) {
	if len(text) > 0 {
		l.send(text)
		l.open = text[len(text)-1] != '\n'
	}
}

// endLine ends the last line, since Lambda's own lines begin new ones.
func (l *logs) endLine() {
	if l.open {
		l.pass([]byte("\n"))
	}
}

// flush waits until all output of before has been passed on.
func (l *logs) flush() {
	if _, err := l.pipe.Write(l.marker); err != nil {
		return
	}
	select {
	case <-l.flushed:
	case <-l.over:
	}
}
