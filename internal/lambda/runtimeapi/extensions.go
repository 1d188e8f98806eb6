package runtimeapi

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// extensions are the extensions of an instance: programs beside the runtime, and parts of the runtime
// itself.
type extensions struct {
	mu  sync.Mutex
	all map[string]*extension // by identifier
}

// extension is an extension that has registered.
type extension struct {
	events chan []byte // what it has registered for, oldest first
	wants  []string
}

// eventsKept is how many events an extension may be behind: an invocation ends when its runtime is done.
const eventsKept = 100

func (e *extensions) serve(w http.ResponseWriter, r *http.Request) {
	switch path := strings.TrimPrefix(r.URL.Path, "/2020-01-01/extension/"); {
	case path == "register" && r.Method == http.MethodPost:
		e.register(w, r)
	case path == "event/next" && r.Method == http.MethodGet:
		e.next(w, r)
	case path == "init/error" || path == "exit/error":
		accepted(w)
	case r.Method == http.MethodPut && (strings.HasSuffix(r.URL.Path, "/logs") || strings.HasSuffix(r.URL.Path, "/telemetry")):
		// Logs are on standard error here: nobody is told of them, as in `sam local invoke`.
		refuse(w, http.StatusAccepted, "Telemetry.NotSupported", "logs and telemetry are not sent to extensions here")
	default:
		refuse(w, http.StatusNotFound, "NotFound", "there is no "+r.URL.Path)
	}
}

func (e *extensions) register(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		Events []string `json:"events"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&asked); err != nil {
		refuse(w, http.StatusBadRequest, "InvalidRequest", "the request is no JSON: "+err.Error())
		return
	}
	e.mu.Lock()
	if e.all == nil {
		e.all = map[string]*extension{}
	}
	id := "extension-" + strconv.Itoa(len(e.all)+1)
	e.all[id] = &extension{events: make(chan []byte, eventsKept), wants: asked.Events}
	e.mu.Unlock()
	w.Header().Set("Lambda-Extension-Identifier", id)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{"functionName": "function", "functionVersion": "$LATEST", "handler": ""})
}

func (e *extensions) next(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	of := e.all[r.Header.Get("Lambda-Extension-Identifier")]
	e.mu.Unlock()
	if of == nil {
		refuse(w, http.StatusForbidden, "Extension.UnknownExtensionIdentifier", "the extension has not registered")
		return
	}
	select {
	case event := <-of.events:
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(event)
	case <-r.Context().Done():
	}
}

// tell tells the extensions of an invocation.
func (e *extensions) tell(of Invocation) {
	event, _ := json.Marshal(map[string]any{
		"eventType": "INVOKE", "deadlineMs": of.Deadline.UnixMilli(), "requestId": of.ID, "invokedFunctionArn": of.ARN,
	}) // texts and a number
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, extension := range e.all {
		if !slices.Contains(extension.wants, "INVOKE") {
			continue
		}
		select {
		case extension.events <- event:
		default: // it does not ask
		}
	}
}
