package builder

import (
	"github.com/moby/buildkit/client"
	digest "github.com/opencontainers/go-digest"
)

// stepLogs keep the end of each step's output in a solve.
type stepLogs map[digest.Digest]*stepLog

type stepLog struct {
	text   []byte
	failed bool
}

// logLimit is how many bytes of a step's log are kept.
const logLimit = 16 << 10

// add adds the logs in st.
func (l stepLogs) add(st *client.SolveStatus) {
	for _, v := range st.Vertexes {
		if v.Error != "" {
			l.of(v.Digest).failed = true
		}
	}
	for _, line := range st.Logs {
		step := l.of(line.Vertex)
		step.text = append(step.text, line.Data...)
		step.text = step.text[max(len(step.text)-logLimit, 0):]
	}
}

func (l stepLogs) of(vertex digest.Digest) *stepLog {
	if l[vertex] == nil {
		l[vertex] = &stepLog{}
	}
	return l[vertex]
}

// ofFailed returns the log of a failed step that printed something.
func (l stepLogs) ofFailed() string {
	for _, step := range l {
		if step.failed && len(step.text) > 0 {
			return string(step.text)
		}
	}
	return ""
}
