// Package runtimeapi is the server's side of Lambda's Runtime API and of its Extensions API, for one
// instance of a function:
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
package runtimeapi

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// MaxPayload is the limit of an event and of a response that is not streamed, in bytes:
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const MaxPayload = 6 << 20

// maxResponse is the limit of the Runtime API for a response: it leaves some room.
const maxResponse = MaxPayload + 100

// Invocation is one call of a function.
type Invocation struct {
	ID       string
	Event    []byte
	Deadline time.Time
	// ARN, TraceID and ClientContext may be empty.
	ARN, TraceID, ClientContext string
}

// Error is the error of a function, or of the runtime: what Lambda answers in place of a response.
type Error struct {
	Type string
	// Body is JSON with errorMessage, errorType and often stackTrace.
	Body []byte
}

func (e *Error) Error() string { return e.Type + ": " + string(e.Body) }

func (e *Error) isOfExtension() bool { return strings.HasPrefix(e.Type, "Extension.") }

// NewError returns an error that Lambda itself makes.
func NewError(kind, format string, args ...any) *Error {
	message := fmt.Sprintf(format, args...)
	body, _ := json.Marshal(struct {
		Type    string `json:"errorType"`
		Message string `json:"errorMessage"`
	}{kind, message}) // two texts
	return &Error{Type: kind, Body: body}
}

// Of returns an error that [NewError] made before the invocation was known, as Lambda says it of the
// invocation.
func (e *Error) Of(id string) *Error {
	var text struct {
		Type    string `json:"errorType"`
		Message string `json:"errorMessage"`
	}
	if json.Unmarshal(e.Body, &text) != nil || !strings.HasPrefix(text.Message, "Error: ") {
		return e
	}
	return NewError(e.Type, "RequestId: %s %s", id, text.Message)
}

// Server serves the Runtime API to one instance of a function.
type Server struct {
	queue chan *call
	ready chan struct{} // closed when the runtime asks for its first invocation
	ended chan struct{} // closed when the runtime has ended, or could not start

	mu      sync.Mutex
	isReady bool
	current *call  // the invocation that the runtime works on
	err     *Error // why it ended

	extensions extensions
}

// call is an invocation on its way.
type call struct {
	Invocation
	out  io.Writer
	done chan struct{} // closed when it is complete

	// The fields below are under the lock of the server.
	answered, whole bool // the response has begun, and has ended
	err             *Error
}

// NewServer returns a server for an instance that starts now, with external extensions of these names.
func NewServer(of Metadata, external ...string) *Server {
	s := &Server{queue: make(chan *call), ready: make(chan struct{}), ended: make(chan struct{})}
	s.extensions = extensions{metadata: of, external: external, end: s.End, changed: make(chan struct{})}
	return s
}

// Invoke hands an invocation to the runtime, and writes the response to out. It returns when the
// runtime and the extensions are ready for the next one. The error is an [*Error] if the function or the
// runtime failed, or the cause of the end of ctx.
func (s *Server) Invoke(ctx context.Context, of Invocation, out io.Writer) error {
	c := &call{Invocation: of, out: out, done: make(chan struct{})}
	select {
	case s.queue <- c:
	case <-s.ended:
		return s.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case <-c.done:
		if !s.Ended() {
			if err := s.waitExtensions(ctx, func() bool { return s.extensions.done(invokeEvent) }); err != nil {
				return err
			}
		}
		if c.err != nil {
			return c.err
		}
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// End says that the runtime or an extension has ended: the invocation that it works on fails with err. If
// the runtime ended after its response was whole, the invocation does not.
func (s *Server) End(err *Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Ended() {
		return
	}
	if s.err == nil {
		s.err = err
	}
	close(s.ended)
	if c := s.current; c != nil {
		if !c.whole || err.isOfExtension() {
			c.err = err
		}
		close(c.done)
		s.current = nil
	}
}

// ServeHTTP answers the requests of runtimes and of extensions.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rest, ok := strings.CutPrefix(r.URL.Path, "/2018-06-01/runtime/")
	if !ok {
		s.extensions.serve(w, r)
		return
	}
	id, kind, _ := strings.Cut(strings.TrimPrefix(rest, "invocation/"), "/")
	switch {
	case rest == "invocation/next" && r.Method == http.MethodGet:
		s.next(w, r)
	case rest == "init/error" && r.Method == http.MethodPost:
		s.initError(w, r)
	case kind == "response" && r.Method == http.MethodPost:
		s.response(w, r, id)
	case kind == "error" && r.Method == http.MethodPost:
		s.functionError(w, r, id)
	default:
		refuse(w, http.StatusNotFound, "NotFound", "there is no "+r.URL.Path)
	}
}

// next completes the invocation that was answered, and waits for the next one.
func (s *Server) next(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	if c := s.current; c != nil {
		if !c.whole {
			s.mu.Unlock()
			refuse(w, http.StatusForbidden, "InvalidStateTransition", "the invocation has no response yet")
			return
		}
		s.current = nil
		close(c.done)
	}
	if !s.isReady {
		s.isReady = true
		s.extensions.close()
		close(s.ready)
	}
	s.mu.Unlock()
	select {
	case c := <-s.queue:
		if !s.begin(c) {
			return
		}
		s.extensions.tell(invokeEvent, map[string]any{"deadlineMs": c.Deadline.UnixMilli(), "requestId": c.ID, "invokedFunctionArn": c.ARN})
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Lambda-Runtime-Aws-Request-Id", c.ID)
		h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(c.Deadline.UnixMilli(), 10))
		for name, value := range map[string]string{
			"Lambda-Runtime-Invoked-Function-Arn": c.ARN, "Lambda-Runtime-Trace-Id": c.TraceID, "Lambda-Runtime-Client-Context": c.ClientContext,
		} {
			if value != "" {
				h.Set(name, value)
			}
		}
		_, _ = w.Write(c.Event)
	case <-r.Context().Done():
	}
}

// begin makes an invocation the one that the runtime works on. It reports false, and ends the invocation,
// if the instance has ended in the meantime.
func (s *Server) begin(c *call) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Ended() {
		c.err = s.err
		close(c.done)
		return false
	}
	s.current = c
	return true
}

// initError is the end of a runtime that could not start.
func (s *Server) initError(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxResponse))
	if err != nil {
		refuse(w, http.StatusBadRequest, "InvalidRequest", err.Error())
		return
	}
	s.mu.Lock()
	if !s.Ended() && s.err == nil {
		s.err = reported(r.Header, body)
	}
	s.mu.Unlock()
	accepted(w)
}

// reported returns the error that a runtime reports.
func reported(h http.Header, body []byte) *Error {
	e := &Error{Type: h.Get("Lambda-Runtime-Function-Error-Type"), Body: body}
	var text struct {
		Type string `json:"errorType"`
	}
	if err := json.Unmarshal(body, &text); err != nil {
		return NewError(cmp.Or(e.Type, "Runtime.Unknown"), "%s", body)
	}
	e.Type = cmp.Or(e.Type, text.Type, "Runtime.Unknown")
	return e
}

// answering returns the invocation with this ID, which is answered from now on.
func (s *Server) answering(w http.ResponseWriter, id string) *call {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.current
	switch {
	case c == nil || c.ID != id:
		refuse(w, http.StatusBadRequest, "InvalidRequestID", "there is no invocation "+id)
		return nil
	case c.answered:
		refuse(w, http.StatusForbidden, "InvalidStateTransition", "the invocation has a response")
		return nil
	}
	c.answered = true
	return c
}

// finish says that a response is whole, or why it is none.
func (s *Server) finish(c *call, err *Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == c { // otherwise the runtime has ended
		c.whole, c.err = true, err
	}
}

func (s *Server) response(w http.ResponseWriter, r *http.Request, id string) {
	mode := r.Header.Get("Lambda-Runtime-Function-Response-Mode")
	if mode != "" && mode != "streaming" && mode != "buffered" {
		refuse(w, http.StatusBadRequest, "InvalidResponseMode", "the response mode "+mode+" is neither buffered nor streaming")
		return
	}
	c := s.answering(w, id)
	if c == nil {
		return
	}
	truncated := func(err error) *Error {
		return NewError("Runtime.TruncatedResponse", "RequestId: %s Error: the response ended before its end: %v", id, err)
	}
	if mode == "streaming" {
		var failed *Error
		if _, err := io.Copy(c.out, r.Body); err != nil {
			failed = truncated(err)
		} else {
			failed = trailing(r.Trailer)
		}
		s.finish(c, failed)
		accepted(w)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxResponse+1))
	switch {
	case err != nil:
		s.finish(c, truncated(err))
		refuse(w, http.StatusBadRequest, "InvalidRequest", err.Error())
	case len(body) > maxResponse:
		s.finish(c, NewError("Function.ResponseSizeTooLarge", "Response payload size exceeded maximum allowed payload size (%d bytes).", MaxPayload))
		refuse(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "the response has more than 6 MB")
	default: // aws-lambda-go has a trailer without saying that it streams
		failed := trailing(r.Trailer)
		if failed == nil {
			_, _ = c.out.Write(body)
		}
		s.finish(c, failed)
		accepted(w)
	}
}

// trailing returns the error in the trailers of a response; nil if there is none.
func trailing(trailers http.Header) *Error {
	kind, text := trailers.Get("Lambda-Runtime-Function-Error-Type"), trailers.Get("Lambda-Runtime-Function-Error-Body")
	if kind == "" {
		return nil
	}
	if body, err := base64.StdEncoding.DecodeString(text); err == nil { // as runtimes encode it
		text = string(body)
	}
	return &Error{Type: kind, Body: []byte(text)}
}

func (s *Server) functionError(w http.ResponseWriter, r *http.Request, id string) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxResponse))
	if err != nil {
		refuse(w, http.StatusBadRequest, "InvalidRequest", err.Error())
		return
	}
	if c := s.answering(w, id); c != nil {
		s.finish(c, reported(r.Header, body))
		accepted(w)
	}
}

func accepted(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, `{"status":"OK"}`+"\n")
}

func refuse(w http.ResponseWriter, status int, kind, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"errorType": kind, "errorMessage": message})
}

// InitError returns the error that the runtime reported about its start; nil if it reported none.
func (s *Server) InitError() *Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// IsError reports whether err is the error of a function, and returns it.
func IsError(err error) (*Error, bool) {
	var of *Error
	ok := errors.As(err, &of)
	return of, ok
}
