package runtimeapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

// FuzzServer: whatever requests a runtime and its extensions make, and in whatever order, each gets
// the status of its state, and each invocation ends with the response, with an error of the
// runtime, or with the end of the instance. A byte is a request; body and header are those of all
// of them.
func FuzzServer(f *testing.F) {
	for _, order := range []string{"inr", "inrn", "nrinern", "inRrrn", "inbn", "xinrn", "xXinrnX", "inz", "eginrn", "insn", "innnr", "iin", "inrinrinrn"} {
		f.Add(order, []byte(`{"events": ["INVOKE"], "errorType": "x", "errorMessage": "y"}`), "streaming", "/2018-06-01/runtime/invocation/1/response")
		f.Add(order, []byte("\x00"), "", "/2020-01-01/extension/register")
		f.Add(order, []byte(nil), "slow", "/2022-07-01/telemetry")
	}
	f.Fuzz(func(t *testing.T, order string, body []byte, header, path string) {
		if len(order) > 50 || len(body) > 1<<16 {
			t.Skip("more of the same")
		}
		m := &model{t: t, s: NewServer(Metadata{Name: "f"}, "outside"), body: body, header: header, path: path}
		for _, request := range []byte(order) {
			m.step(request)
		}
		m.s.End(NewError("Runtime.ExitError", "Error: it ended"))
		if m.id != "" {
			m.finish(false)
		}
	})
}

// model is a runtime with what it may expect.
type model struct {
	t            *testing.T
	s            *Server
	body         []byte
	header, path string

	n       int
	id      string // of the invocation that is on its way; "" if there is none
	taken   bool
	want    string // the response, if it was whole
	whole   bool
	failed  bool
	waits   bool // extensions have registered, which an invocation may wait for
	out     bytes.Buffer
	cancel  context.CancelFunc
	outcome chan error
}

const runtimePath = "/2018-06-01/runtime/"

// step makes one request.
func (m *model) step(request byte) {
	switch {
	case request == 'i' && m.id == "":
		m.invoke()
	case request == 'n':
		m.next()
	case request == 'r':
		m.answer("response", m.header)
	case request == 's':
		m.answer("response", "streaming")
	case request == 'e':
		m.answer("error", "")
	case request == 'R':
		m.expect(http.StatusBadRequest, http.MethodPost, runtimePath+"invocation/other/error", "")
	case request == 'z':
		m.expect(http.StatusAccepted, http.MethodPost, runtimePath+"init/error", "")
	case request == 'x':
		m.waits = m.request(m.t.Context(), http.MethodPost, "/2020-01-01/extension/register", "").Code == http.StatusOK || m.waits
	default: // whatever is at the path
		over, cancel := context.WithCancel(m.t.Context())
		cancel()
		method := []string{http.MethodGet, http.MethodPut, http.MethodDelete}[int(request)%3]
		if strings.HasPrefix(m.path, "/") && !strings.Contains(m.path, "invocation/next") {
			m.request(over, method, m.path, m.header)
		}
	}
}

// invoke hands an invocation to the server.
func (m *model) invoke() {
	m.n++
	m.id, m.taken, m.whole, m.failed, m.want = strconv.Itoa(m.n), false, false, false, ""
	m.out.Reset()
	ctx, cancel := context.WithCancel(m.t.Context())
	m.cancel, m.outcome = cancel, make(chan error, 1)
	go func(id string, outcome chan error) {
		outcome <- m.s.Invoke(ctx, Invocation{ID: id, Event: m.body}, &m.out)
	}(m.id, m.outcome)
}

// next asks for an invocation, which is the end of the one before.
func (m *model) next() {
	path := runtimePath + "invocation/next"
	switch {
	case m.id != "" && m.taken && !m.whole && !m.failed:
		m.expect(http.StatusForbidden, http.MethodGet, path, "")
	case m.id != "" && !m.taken:
		got := m.request(m.t.Context(), http.MethodGet, path, "")
		if got.Header().Get("Lambda-Runtime-Aws-Request-Id") != m.id || !bytes.Equal(got.Body.Bytes(), m.body) {
			m.t.Fatalf("got %v, want invocation %s", got, m.id)
		}
		m.taken = true
	default: // nobody invokes
		over, cancel := context.WithCancel(m.t.Context())
		cancel()
		m.request(over, http.MethodGet, path, "")
		if m.id != "" {
			m.finish(true)
		}
	}
}

// answer answers the invocation that was taken.
func (m *model) answer(kind, mode string) {
	path := runtimePath + "invocation/" + m.id + "/" + kind
	switch {
	case m.id == "" || !m.taken:
		if kind == "response" && mode != "" && mode != "streaming" && mode != "buffered" {
			mode = ""
		}
		m.expect(http.StatusBadRequest, http.MethodPost, path, mode)
	case kind == "response" && mode != "" && mode != "streaming" && mode != "buffered":
		m.expect(http.StatusBadRequest, http.MethodPost, path, mode)
	case m.whole || m.failed:
		m.expect(http.StatusForbidden, http.MethodPost, path, mode)
	default:
		m.expect(http.StatusAccepted, http.MethodPost, path, mode)
		m.whole, m.failed, m.want = kind == "response", kind == "error", string(m.body)
	}
}

// finish looks at how an invocation ended: by the runtime itself, or with the instance.
func (m *model) finish(byRuntime bool) {
	if m.waits {
		m.cancel() // its extensions ask for nothing
	}
	err := <-m.outcome
	m.cancel()
	failed, ok := IsError(err)
	switch {
	case m.waits && errors.Is(err, context.Canceled):
	case m.whole && (err != nil || m.out.String() != m.want):
		m.t.Errorf("got %q, %v, want %q", m.out.String(), err, m.want)
	case !m.whole && (!ok || failed.Type == "" || !json.Valid(failed.Body)):
		m.t.Errorf("got %v, want an error of the function", err)
	case !m.whole && !m.failed && byRuntime:
		m.t.Errorf("an invocation ended without an answer: %v", err)
	}
	m.id = ""
}

// expect makes a request, and fails unless it gets a status.
func (m *model) expect(status int, method, path, mode string) {
	m.t.Helper()
	if got := m.request(m.t.Context(), method, path, mode); got.Code != status {
		m.t.Fatalf("%s %s: status %d, want %d: %s", method, path, got.Code, status, got.Body)
	}
}

func (m *model) request(ctx context.Context, method, path, mode string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(ctx, method, "/", bytes.NewReader(m.body))
	r.URL.Path = path
	if mode != "" {
		r.Header.Set("Lambda-Runtime-Function-Response-Mode", mode)
	}
	r.Header.Set("Lambda-Extension-Name", "outside")
	w := httptest.NewRecorder()
	m.s.ServeHTTP(w, r)
	return w
}
