package runtimeapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Metadata is what extensions hear of the function.
type Metadata struct {
	Name, Version, Handler, AccountID string
}

// AccountID is the account of functions here.
const AccountID = "012345678912"

// MaxExtensions is the most extensions that a function has:
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const MaxExtensions = 10

// The time that Lambda gives to the end of an instance. Without extensions it has none:
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-shutdown
const (
	shutdownInternal = 500 * time.Millisecond
	shutdownExternal = 2 * time.Second
)

// The events that extensions register for.
const (
	invokeEvent   = "INVOKE"
	shutdownEvent = "SHUTDOWN"
)

// extensions are the extensions of an instance: external ones, which are programs beside the runtime,
// and internal ones, which are parts of the runtime itself.
type extensions struct {
	metadata Metadata
	external []string       // the names of the programs
	end      func(e *Error) // ends the instance

	mu      sync.Mutex
	all     []*extension  // that have registered
	closed  bool          // nobody can register any more
	changed chan struct{} // closed at the next change
}

// extension is an extension that has registered.
type extension struct {
	id, name string
	external bool
	wants    []string
	asks     bool        // it is done with the event before, if there was one
	events   chan []byte // an invocation and the end
}

func (e *extensions) serve(w http.ResponseWriter, r *http.Request) {
	switch path := strings.TrimPrefix(r.URL.Path, "/2020-01-01/extension/"); {
	case path == "register" && r.Method == http.MethodPost:
		e.register(w, r)
	case path == "event/next" && r.Method == http.MethodGet:
		e.next(w, r)
	case path == "init/error" && r.Method == http.MethodPost:
		e.failed(w, r, "Extension.InitError")
	case path == "exit/error" && r.Method == http.MethodPost:
		e.failed(w, r, "Extension.ExitError")
	case r.Method == http.MethodPut && (strings.HasSuffix(r.URL.Path, "/logs") || strings.HasSuffix(r.URL.Path, "/telemetry")):
		// Logs are on standard error here: no extension gets them, as in `sam local invoke`.
		refuse(w, http.StatusAccepted, "Telemetry.NotSupported", "logs and telemetry are not sent to extensions here")
	default:
		refuse(w, http.StatusNotFound, "NotFound", "there is no "+r.URL.Path)
	}
}

// signal says that something has changed. The lock is held.
func (e *extensions) signal() {
	close(e.changed)
	e.changed = make(chan struct{})
}

// holds returns nil if the condition holds, and otherwise the next change.
func (e *extensions) holds(condition func() bool) <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	if condition() {
		return nil
	}
	return e.changed
}

func (e *extensions) register(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		Events []string `json:"events"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&asked); err != nil {
		refuse(w, http.StatusForbidden, "InvalidRequestFormat", "the request is no JSON: "+err.Error())
		return
	}
	x := &extension{name: r.Header.Get("Lambda-Extension-Name"), wants: asked.Events, events: make(chan []byte, 2)}
	if kind := e.add(x); kind != "" {
		refuse(w, http.StatusForbidden, kind, fmt.Sprintf("the extension %q cannot register for %q", x.name, x.wants))
		return
	}
	answer := map[string]string{"functionName": e.metadata.Name, "functionVersion": e.metadata.Version, "handler": e.metadata.Handler}
	for feature := range strings.SplitSeq(r.Header.Get("Lambda-Extension-Accept-Feature"), ",") {
		if strings.TrimSpace(feature) == "accountId" {
			answer["accountId"] = e.metadata.AccountID
		}
	}
	w.Header().Set("Lambda-Extension-Identifier", x.id)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

// add adds an extension, and returns the type of the error if Lambda refuses it.
func (e *extensions) add(x *extension) (refused string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	x.external = slices.Contains(e.external, x.name)
	internal := 0
	for _, other := range e.all {
		if other.name == x.name {
			return "Extension.InvalidExtensionState"
		}
		if !other.external {
			internal++
		}
	}
	switch {
	case x.name == "":
		return "Extension.InvalidExtensionName"
	case e.closed:
		return "Extension.RegistrationClosed"
	case !x.external && len(e.external)+internal >= MaxExtensions:
		return "Extension.TooManyExtensions"
	}
	for _, event := range x.wants {
		if event != invokeEvent && (event != shutdownEvent || !x.external) {
			return "Extension.InvalidEventType"
		}
	}
	x.id = "extension-" + strconv.Itoa(len(e.all)+1)
	e.all = append(e.all, x)
	e.signal()
	return ""
}

// of returns the extension that makes a request; nil if it has not registered, which it is told.
func (e *extensions) of(w http.ResponseWriter, r *http.Request) *extension {
	id := r.Header.Get("Lambda-Extension-Identifier")
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, x := range e.all {
		if x.id == id {
			return x
		}
	}
	refuse(w, http.StatusForbidden, "Extension.UnknownExtensionIdentifier", "the extension has not registered")
	return nil
}

func (e *extensions) next(w http.ResponseWriter, r *http.Request) {
	x := e.of(w, r)
	if x == nil {
		return
	}
	e.mu.Lock()
	x.asks = len(x.events) == 0
	e.signal()
	e.mu.Unlock()
	select {
	case event := <-x.events:
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(event)
	case <-r.Context().Done():
	}
}

// failed ends the instance by an error that an extension reports.
func (e *extensions) failed(w http.ResponseWriter, r *http.Request, kind string) {
	x := e.of(w, r)
	if x == nil {
		return
	}
	why := r.Header.Get("Lambda-Extension-Function-Error-Type")
	if why == "" {
		refuse(w, http.StatusForbidden, "Extension.MissingHeader", "Lambda-Extension-Function-Error-Type is missing")
		return
	}
	accepted(w)
	e.end(NewError(kind, "Error: extension %s: %s", x.name, why))
}

// tell sends an event to the extensions that want it, and returns the names of the external ones.
func (e *extensions) tell(kind string, event map[string]any) (names []string) {
	event["eventType"] = kind
	text, _ := json.Marshal(event) // texts and numbers
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, x := range e.all {
		if !slices.Contains(x.wants, kind) {
			continue
		}
		x.asks = false
		select {
		case x.events <- text:
		default: // it did not ask for the one before
		}
		if x.external {
			names = append(names, x.name)
		}
	}
	return names
}

// close ends the time in which extensions register.
func (e *extensions) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
}

// registered reports whether all external extensions have registered.
func (e *extensions) registered() bool {
	have := 0
	for _, x := range e.all {
		if x.external {
			have++
		}
	}
	return have == len(e.external)
}

// done reports whether all extensions ask for an event that have got this one, or all of them for "".
func (e *extensions) done(kind string) bool {
	return !slices.ContainsFunc(e.all, func(x *extension) bool {
		return !x.asks && (kind == "" || slices.Contains(x.wants, kind))
	})
}

// ShutdownTimes returns how long the end of the runtime may take, and the end of the instance with it.
func (s *Server) ShutdownTimes() (runtime, all time.Duration) {
	s.extensions.mu.Lock()
	defer s.extensions.mu.Unlock()
	switch {
	case len(s.extensions.external) > 0:
		return shutdownExternal * 3 / 10, shutdownExternal // as AWS's emulator shares it out
	case len(s.extensions.all) > 0:
		return shutdownInternal, shutdownInternal
	}
	return 0, 0
}

// Shutdown sends the end to the external extensions that have registered for it, and returns their
// names. The reason is spindown, timeout or failure.
func (s *Server) Shutdown(reason string, deadline time.Time) (names []string) {
	return s.extensions.tell(shutdownEvent, map[string]any{"shutdownReason": reason, "deadlineMs": deadline.UnixMilli()})
}

// Extensions returns a line for each extension, as Lambda logs it after the start of an instance.
func (s *Server) Extensions() (lines []string) {
	s.extensions.mu.Lock()
	defer s.extensions.mu.Unlock()
	missing := slices.Clone(s.extensions.external)
	for _, x := range s.extensions.all {
		state := "Registered"
		if x.asks {
			state = "Ready"
		}
		lines = append(lines, fmt.Sprintf("EXTENSION\tName: %s\tState: %s\tEvents: [%s]", x.name, state, strings.Join(x.wants, ", ")))
		missing = slices.DeleteFunc(missing, func(name string) bool { return name == x.name })
	}
	for _, name := range missing {
		lines = append(lines, fmt.Sprintf("EXTENSION\tName: %s\tState: Started\tEvents: []", name))
	}
	return lines
}
