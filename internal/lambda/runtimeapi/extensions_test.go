package runtimeapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// asExtension makes a request of an extension, and returns the status, the identifier and the body.
func asExtension(t *testing.T, server *httptest.Server, path, body string, header ...string) (status int, id, answer string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/2020-01-01/extension/"+path, strings.NewReader(body))
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
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header.Get("Lambda-Extension-Identifier"), string(text)
}

// Which extensions register, and what they hear of the function.
func TestRegister(t *testing.T) {
	t.Parallel()
	s := NewServer(Metadata{Name: "f", Version: "$LATEST", Handler: "app.f", AccountID: AccountID}, "outside")
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	const name, feature = "Lambda-Extension-Name", "Lambda-Extension-Accept-Feature"
	for _, c := range []struct {
		body   string
		header []string
		status int
		want   string
	}{
		{`{`, []string{name, "outside"}, http.StatusForbidden, `"errorType":"InvalidRequestFormat"`},
		{`{}`, nil, http.StatusForbidden, `"errorType":"Extension.InvalidExtensionName"`},
		{`{"events": ["SLEEP"]}`, []string{name, "outside"}, http.StatusForbidden, `"errorType":"Extension.InvalidEventType"`},
		{`{"events": ["SHUTDOWN"]}`, []string{name, "inside"}, http.StatusForbidden, `"errorType":"Extension.InvalidEventType"`},
		{`{"events": ["INVOKE", "SHUTDOWN"]}`, []string{name, "outside"}, http.StatusOK, `{"functionName":"f","functionVersion":"$LATEST","handler":"app.f"}`},
		{`{"events": []}`, []string{name, "outside"}, http.StatusForbidden, `"errorType":"Extension.InvalidExtensionState"`},
		{`{"events": []}`, []string{name, "inside", feature, "other, accountId"}, http.StatusOK, `"accountId":"012345678912"`},
	} {
		if status, id, answer := asExtension(t, server, "register", c.body, c.header...); status != c.status || !strings.Contains(answer, c.want) || (id != "") != (status == http.StatusOK) {
			t.Errorf("%s %q: status %d, identifier %q, %s, want %d, %s", c.body, c.header, status, id, answer, c.status, c.want)
		}
	}
	for i := 2; i <= MaxExtensions; i++ {
		want := http.StatusOK
		if i == MaxExtensions {
			want = http.StatusForbidden
		}
		if status, _, answer := asExtension(t, server, "register", `{}`, name, fmt.Sprint("inside ", i)); status != want {
			t.Errorf("extension %d: status %d, want %d: %s", i+1, status, want, answer)
		}
	}
}

// An instance without its extensions is not ready, and one of them that fails ends it.
func TestExtensionsEnd(t *testing.T) {
	t.Parallel()
	s := NewServer(Metadata{}, "outside")
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := s.WaitRegistered(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without its extension: got %v", err)
	}
	_, id, _ := asExtension(t, server, "register", `{}`, "Lambda-Extension-Name", "outside")
	if err := s.WaitRegistered(t.Context()); err != nil {
		t.Errorf("got %v", err)
	}
	const identifier, kind = "Lambda-Extension-Identifier", "Lambda-Extension-Function-Error-Type"
	for _, c := range []struct {
		header []string
		status int
		want   string
	}{
		{[]string{identifier, "other", kind, "My.Error"}, http.StatusForbidden, "Extension.UnknownExtensionIdentifier"},
		{[]string{identifier, id}, http.StatusForbidden, "Extension.MissingHeader"},
		{[]string{identifier, id, kind, "My.Error"}, http.StatusAccepted, `{"status":"OK"}`},
	} {
		if status, _, answer := asExtension(t, server, "init/error", `{}`, c.header...); status != c.status || !strings.Contains(answer, c.want) {
			t.Errorf("%q: status %d, %s, want %d, %s", c.header, status, answer, c.status, c.want)
		}
	}
	if failed, ok := IsError(s.WaitReady(t.Context())); !ok || !s.Ended() || failed.Type != "Extension.InitError" || !strings.Contains(string(failed.Body), "extension outside: My.Error") {
		t.Errorf("got %v", failed)
	}
	if lines := s.Extensions(); len(lines) != 1 || lines[0] != "EXTENSION\tName: outside\tState: Registered\tEvents: []" {
		t.Errorf("got %q", lines)
	}
}
