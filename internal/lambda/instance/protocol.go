// Package instance is an instance of a function: the process that starts the function's runtime in its
// container, serves the Runtime API to it, and holds it to Lambda's limits. It speaks with samforge over
// one connection. It depends on little, because its program is sent to builders.
package instance

import (
	"strings"
	"time"

	"github.com/samforge/samforge/internal/lambda/runtimeapi"
)

// Program is where the program of an instance is in its container.
const Program = "/.samforge/instance"

// Spec says how an instance runs.
type Spec struct {
	// Args is the entrypoint with the command; Env is the whole environment, as NAME=VALUE; Dir is the
	// working directory.
	Args, Env []string
	Dir       string
	// UID and GID are those of the function's processes.
	UID, GID uint32
	// Memory is the limit of all processes together, in bytes.
	Memory int64
	// Timeout limits an invocation, and InitTimeout the start of the runtime before it.
	Timeout, InitTimeout time.Duration
}

// metadata returns what extensions hear of the function.
func (s Spec) metadata() runtimeapi.Metadata {
	of := runtimeapi.Metadata{AccountID: runtimeapi.AccountID}
	for _, variable := range s.Env {
		switch name, value, _ := strings.Cut(variable, "="); name {
		case "AWS_LAMBDA_FUNCTION_NAME":
			of.Name = value
		case "AWS_LAMBDA_FUNCTION_VERSION":
			of.Version = value
		case "_HANDLER":
			of.Handler = value
		}
	}
	return of
}

// Request is a message to an instance: its Spec first, then invocations one after the other, and the end.
// The end of the connection ends the instance too, but at once.
type Request struct {
	Spec   *Spec                  `json:",omitempty"`
	Invoke *runtimeapi.Invocation `json:",omitempty"`
	// End ends the instance. Its extensions get the time that Lambda gives them. With Fail it ends with
	// an error, so that no builder keeps it as done.
	End  bool `json:",omitempty"`
	Fail bool `json:",omitempty"`
	// Heard is how many bytes of logs and of responses have arrived since it was said before.
	Heard int `json:",omitempty"`
}

// Window is how many bytes of logs and of a response an instance sends before it waits until they are
// heard. A session of BuildKit keeps all that was sent in the memory of samforge.
const Window = 4 << 20

// Message is a message from an instance. One of its fields is set.
type Message struct {
	// Log is output of the function, and Chunk a part of the response.
	Log, Chunk []byte `json:",omitempty"`
	Warning    string `json:",omitempty"`
	// Done is the end of an invocation, or of the instance.
	Done *Report `json:",omitempty"`
}

// Report is the end of an invocation.
type Report struct {
	// Err is why the invocation failed; nil if it did not.
	Err *runtimeapi.Error
	// Duration is that of the invocation, and Init that of the start of the runtime before it: 0 for a
	// warm instance.
	Duration, Init time.Duration
	// Memory is the most that the processes had since the start of the instance, in bytes.
	Memory int64
	// TimedOut and OutOfMemory say which limit ended it.
	TimedOut, OutOfMemory bool
}
