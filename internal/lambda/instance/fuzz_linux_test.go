package instance

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/samforge/samforge/internal/lambda/runtimeapi"
)

// FuzzRun: whatever comes over the connection, each invocation before the end has a report, and
// what is no request, or no end, ends the instance with an error. The function is one without a
// program, so that none starts.
func FuzzRun(f *testing.F) {
	for _, seed := range []string{
		`{"Spec": {"Timeout": 3000000000, "Env": ["A=b", "_HANDLER"]}}{"Invoke": {"ID": "one", "Event": "e30="}}{"End": true}`, `{"Invoke": {"ID": "one"}}{"Invoke": {"ID": "two"}}`,
		`{"Invoke": {"ID": "one"}}{"End": true, "Fail": true}{"Invoke": {}}`, `{"Invoke": {"Event": "?"}}`, `{"Spec": null}null[]`, "{", "", "\x00", `{"Spec": {"Memory": -1, "Dir": "x", "Timeout": -1}}{"Invoke": {"Deadline": "x"}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		conn, invoked, ended, whole := harmless(t, data)
		err := Run(t.Context(), conn)
		if (err == nil) != whole {
			t.Errorf("whole is %t, and the instance ends with %v", whole, err)
		}
		reports := 0
		for decoder := json.NewDecoder(&conn.out); ; {
			var m Message
			if err := decoder.Decode(&m); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			if m.Done == nil {
				continue
			}
			if reports++; reports <= invoked && m.Done.Err == nil {
				t.Errorf("a function without a program ends with %v", m.Done.Err)
			}
		}
		if ended {
			reports--
		}
		if reports != invoked {
			t.Errorf("%d invocations have %d reports", invoked, reports)
		}
	})
}

// pipe is a connection: what is read from it, and what was written to it.
type pipe struct {
	io.Reader
	out bytes.Buffer
}

func (p *pipe) Write(data []byte) (int, error) { return p.out.Write(data) }

// harmless returns a connection with the requests of data, without programs and without times to
// wait. The instance gets invoked invocations until the end, which ended says to be a request.
// whole is false if it ends with an error: by Fail, without an end, or because data has something
// that is no request.
func harmless(t *testing.T, data []byte) (conn *pipe, invoked int, ended, whole bool) {
	t.Helper()
	var requests bytes.Buffer
	decoder := json.NewDecoder(bytes.NewReader(data))
	for {
		var request Request
		err := decoder.Decode(&request)
		if errors.Is(err, io.EOF) {
			return &pipe{Reader: &requests}, invoked, false, false
		}
		if err != nil {
			return &pipe{Reader: io.MultiReader(&requests, bytes.NewReader([]byte("no request")))}, invoked, false, false
		}
		if request.Spec != nil {
			request.Spec.Args, request.Spec.Memory, request.Spec.Timeout, request.Spec.InitTimeout = nil, 0, time.Minute, time.Minute
		}
		if request.Invoke != nil && request.Spec == nil && !request.End {
			request.Invoke = &runtimeapi.Invocation{ID: request.Invoke.ID, Event: request.Invoke.Event}
			invoked++
		}
		if err := json.NewEncoder(&requests).Encode(request); err != nil {
			t.Fatal(err)
		}
		if request.End {
			return &pipe{Reader: &requests}, invoked, true, !request.Fail
		}
	}
}
