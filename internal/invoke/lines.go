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

// end ends the line of a response, if the response does not.
func (l *responseLines) end() error {
	if !l.open {
		return nil
	}
	_, err := l.Write([]byte{'\n'})
	return err
}

// responses returns where the responses to the events of a call go.
func (i *Invoker) responses() io.Writer {
	if i.opt.EndLines {
		return &responseLines{Writer: i.opt.Stdout}
	}
	return i.opt.Stdout
}
