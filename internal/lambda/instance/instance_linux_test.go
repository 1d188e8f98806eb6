package instance

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/samforge/samforge/internal/lambda/runtimeapi"
)

// The tests start this program again as a runtime.
func TestMain(m *testing.M) {
	api := os.Getenv("AWS_LAMBDA_RUNTIME_API")
	if api == "" {
		os.Exit(m.Run())
	}
	if err := failThenAnswer("http://" + api + "/2018-06-01/runtime/"); err != nil {
		panic(err)
	}
}

// failThenAnswer is a runtime that says that it could not start, and answers all the same.
func failThenAnswer(api string) error {
	post := func(path, body string) error {
		response, err := http.Post(api+path, "application/json", strings.NewReader(body))
		if err != nil {
			return err
		}
		return response.Body.Close()
	}
	if err := post("init/error", `{"errorType": "NoStart", "errorMessage": "not today"}`); err != nil {
		return err
	}
	for {
		next, err := http.Get(api + "invocation/next")
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, next.Body); err != nil {
			return err
		}
		if err := post("invocation/"+next.Header.Get("Lambda-Runtime-Aws-Request-Id")+"/response", `"answered"`); err != nil {
			return err
		}
	}
}

// A runtime that could not start is started again for the next invocation, and gets none before. Not in
// parallel: the end of an instance ends all processes that this one started.
func TestInitErrorAgain(t *testing.T) {
	ours, theirs := net.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- Run(context.Background(), theirs) }()
	to, from := json.NewEncoder(ours), json.NewDecoder(ours)
	send := func(r Request) *Report {
		t.Helper()
		if err := to.Encode(r); err != nil {
			t.Fatal(err)
		}
		for {
			var m Message
			if err := from.Decode(&m); err != nil {
				t.Fatal(err)
			}
			if m.Chunk != nil {
				t.Errorf("an invocation is answered: %s", m.Chunk)
			}
			if m.Done != nil {
				return m.Done
			}
		}
	}
	spec := Spec{Args: []string{os.Args[0]}, Dir: "/", UID: uint32(os.Getuid()), GID: uint32(os.Getgid()), Timeout: time.Minute, InitTimeout: time.Minute}
	if err := to.Encode(Request{Spec: &spec}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		report := send(Request{Invoke: &runtimeapi.Invocation{ID: "1", Event: []byte("{}")}})
		if report.Err == nil || report.Err.Type != "NoStart" || report.Init == 0 || report.Memory == 0 {
			t.Errorf("got %+v", report)
		}
	}
	send(Request{End: true})
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
