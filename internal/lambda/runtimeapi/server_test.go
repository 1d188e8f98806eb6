package runtimeapi

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
)

// The tests start this program again as a function in Go, with AWS's own runtime client.
func TestMain(m *testing.M) {
	switch os.Getenv("_HANDLER") {
	case "":
		os.Exit(m.Run())
	case "echo":
		lambda.Start(func(_ context.Context, event struct{ Say string }) (map[string]string, error) {
			switch event.Say {
			case "fail":
				return nil, errors.New("it failed")
			case "panic":
				panic("it panicked")
			}
			return map[string]string{"said": event.Say}, nil
		})
	case "stream":
		lambda.Start(func(context.Context, struct{}) (io.Reader, error) {
			return strings.NewReader(strings.Repeat("stream ", 3)), nil
		})
	case "extension":
		lambda.StartWithOptions(func(context.Context, struct{}) (string, error) { return "with an extension", nil }, lambda.WithEnableSIGTERM())
	}
}

// startFunction starts a function that asks the server for invocations.
func startFunction(t *testing.T, s *Server, handler string) {
	t.Helper()
	server := httptest.NewServer(s)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "_HANDLER="+handler, "AWS_LAMBDA_RUNTIME_API="+strings.TrimPrefix(server.URL, "http://"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		err := cmd.Wait()
		s.End(NewError("Runtime.ExitError", "Error: Runtime exited with error: %v", err))
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		server.CloseClientConnections()
		server.Close()
	})
	if err := s.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func invoke(t *testing.T, s *Server, id, event string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := s.Invoke(t.Context(), Invocation{ID: id, Event: []byte(event), Deadline: time.Now().Add(time.Minute), ARN: "arn:aws:lambda:eu-west-1:012345678912:function:f"}, &out)
	return out.String(), err
}

// AWS's client for Go answers several invocations, says why one failed, and ends after a panic.
func TestGoRuntime(t *testing.T) {
	t.Parallel()
	s := NewServer(Metadata{})
	startFunction(t, s, "echo")
	for _, word := range []string{"one", "two"} {
		if got, err := invoke(t, s, word, `{"Say": "`+word+`"}`); err != nil || got != `{"said":"`+word+`"}` {
			t.Errorf("%s: got %s, %v", word, got, err)
		}
	}
	got, err := invoke(t, s, "three", `{"Say": "fail"}`)
	if failed, ok := IsError(err); !ok || got != "" || failed.Type != "errorString" || !strings.Contains(string(failed.Body), `"errorMessage":"it failed"`) {
		t.Errorf("got %q, %v", got, err)
	}
	_, err = invoke(t, s, "four", `{"Say": "panic"}`)
	if failed, ok := IsError(err); !ok || !strings.Contains(string(failed.Body), "it panicked") {
		t.Errorf("got %v", err)
	}
	if _, err := invoke(t, s, "five", `{}`); err == nil {
		t.Error("a function that has ended answered")
	}
}

// A response that is streamed, and a runtime with an extension in it.
func TestGoStreams(t *testing.T) {
	t.Parallel()
	for handler, want := range map[string]string{"stream": "stream stream stream ", "extension": `"with an extension"`} {
		s := NewServer(Metadata{})
		startFunction(t, s, handler)
		if got, err := invoke(t, s, "one", `{}`); err != nil || got != want {
			t.Errorf("%s: got %q, %v", handler, got, err)
		}
	}
}

// The statuses of the Runtime API for requests that a runtime should not make.
func TestStates(t *testing.T) {
	t.Parallel()
	s := NewServer(Metadata{})
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	request := func(method, path, body string, header ...string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		return response.StatusCode
	}
	const base = "/2018-06-01/runtime/"
	answer := make(chan error, 1)
	go func() {
		_, err := invoke(t, s, "one", "{}")
		answer <- err
	}()
	for _, c := range []struct {
		method, path, body string
		header             []string
		want               int
	}{
		{"POST", base + "invocation/one/response", "early", nil, http.StatusBadRequest},
		{"GET", base + "invocation/next", "", nil, http.StatusOK},
		{"GET", base + "invocation/next", "", nil, http.StatusForbidden},
		{"POST", base + "invocation/two/response", "", nil, http.StatusBadRequest},
		{"POST", base + "invocation/one/response", "", []string{"Lambda-Runtime-Function-Response-Mode", "slow"}, http.StatusBadRequest},
		{"POST", base + "invocation/one/response", strings.Repeat("x", MaxPayload+200), nil, http.StatusRequestEntityTooLarge},
		{"POST", base + "invocation/one/response", "again", nil, http.StatusForbidden},
		{"POST", base + "nowhere", "", nil, http.StatusNotFound},
		{"PUT", "/2022-07-01/telemetry", "{}", nil, http.StatusAccepted},
		{"GET", "/2020-01-01/extension/event/next", "", nil, http.StatusForbidden},
	} {
		if got := request(c.method, c.path, c.body, c.header...); got != c.want {
			t.Errorf("%s %s: status %d, want %d", c.method, c.path, got, c.want)
		}
	}
	s.End(NewError("Runtime.ExitError", "Error: it ended"))
	err := <-answer
	if failed, ok := IsError(err); !ok || failed.Type != "Function.ResponseSizeTooLarge" {
		t.Errorf("got %v, want that the response was too large", err)
	}
}

// An instance that has ended while its runtime waits, as by an extension, fails an invocation at once.
func TestInvokeAfterEnd(t *testing.T) {
	t.Parallel()
	for range 20 { // the runtime may or may not be asked first
		s := NewServer(Metadata{})
		server := httptest.NewServer(s)
		ctx, cancel := context.WithCancel(t.Context())
		asked := make(chan struct{})
		go func() {
			defer close(asked)
			request, _ := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/2018-06-01/runtime/invocation/next", http.NoBody)
			if response, err := http.DefaultClient.Do(request); err == nil {
				_ = response.Body.Close()
			}
		}()
		if err := s.WaitReady(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.End(NewError("Extension.Crash", "Error: exit status 1"))
		limited, end := context.WithTimeout(t.Context(), 5*time.Second)
		if err, ok := IsError(s.Invoke(limited, Invocation{ID: "1"}, io.Discard)); !ok || err.Type != "Extension.Crash" {
			t.Errorf("got %v", err)
		}
		end()
		cancel()
		<-asked
		server.Close()
	}
}
