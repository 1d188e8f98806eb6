package invoke

import "io"

// responseLines writes responses, each on lines of its own.
type responseLines struct {
	io.Writer
	open bool // the last line has no end
}

func (l *responseLines) Write(p []byte) (int, error) {
	if len(p) > 0 {
		l.open = p[len(p)-1] != '\n'
	}
	return l.Writer.Write(p)
}

// endLine ends the line of a response on a terminal, if the response does not: what the function and
// Lambda log follows it there.
func endLine(out io.Writer) error {
	if lines, ok := out.(*responseLines); ok && lines.open {
		_, err := lines.Write([]byte{'\n'})
		return err
	}
	return nil
}

// responses returns where the responses to the events of a call go.
func (i *Invoker) responses() io.Writer {
	if i.opt.EndLines {
		return &responseLines{Writer: i.opt.Stdout}
	}
	return i.opt.Stdout
}
