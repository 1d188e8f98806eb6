package instance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/net/netutil"

	"github.com/samforge/samforge/internal/lambda/runtimeapi"
)

// Run runs an instance until it gets its end. If the connection ends before, that is an error: nobody
// knows then how the last invocation ended, and the step must not count as done.
func Run(ctx context.Context, conn io.ReadWriter) error {
	in := &instance{encoder: json.NewEncoder(conn), starter: newStarter(), credit: newCredit(Window)}
	defer in.starter.close()
	ctx, cancel := context.WithCancelCause(ctx)
	requests := make(chan Request)
	go func() {
		defer close(requests)
		defer in.credit.end()
		cancel(in.read(json.NewDecoder(conn), requests))
	}()
	for request := range requests {
		switch {
		case request.End:
			err := in.stop(spindown)
			if request.Fail {
				err = errors.Join(errors.New("the function failed"), err)
			}
			in.send(Message{Done: &Report{}})
			return err
		case request.Spec != nil:
			in.spec = *request.Spec
		case request.Invoke != nil:
			in.send(Message{Done: in.invoke(ctx, *request.Invoke)})
		}
	}
	err := context.Cause(ctx)
	if errors.Is(err, io.EOF) {
		return errors.Join(errors.New("samforge has ended"), in.kill())
	}
	return errors.Join(fmt.Errorf("read a request: %w", err), in.kill())
}

// read passes requests on until there are no more. What samforge has heard it notes at once, since an
// invocation may wait for it.
func (in *instance) read(decoder *json.Decoder, requests chan<- Request) error {
	for {
		var request Request
		if err := decoder.Decode(&request); err != nil {
			return err
		}
		if request.Heard > 0 {
			in.credit.give(request.Heard)
			continue
		}
		requests <- request
	}
}

// instance is an instance, whose runtime may have to be started.
type instance struct {
	spec   Spec
	credit *credit

	sending sync.Mutex
	encoder *json.Encoder

	starter *starter
	runtime *runtime // nil if none runs
	most    int64    // of memory, of the runtimes before
}

func (in *instance) send(m Message) {
	in.credit.take(len(m.Log) + len(m.Chunk))
	in.sending.Lock()
	defer in.sending.Unlock()
	_ = in.encoder.Encode(m) // without samforge, the next request fails
}

// chunks sends the response as it comes.
type chunks struct{ in *instance }

func (c chunks) Write(p []byte) (int, error) {
	c.in.send(Message{Chunk: p})
	return len(p), nil
}

// errTimeout is the end of the time that an invocation has.
var errTimeout = errors.New("time-out")

// invoke runs an invocation, and starts the runtime before if none runs.
func (in *instance) invoke(ctx context.Context, of runtimeapi.Invocation) *Report {
	report := &Report{}
	if in.runtime == nil {
		begin := time.Now()
		err := in.start(ctx, in.spec.InitTimeout)
		if errors.Is(err, errTimeout) { // Lambda starts it again within the time of the invocation
			in.send(Message{Warning: fmt.Sprintf("INIT_REPORT Init Duration: %.2f ms\tPhase: init\tStatus: timeout", milliseconds(in.spec.InitTimeout))})
			begin = time.Now()
			err = in.start(ctx, in.spec.Timeout)
		}
		report.Init = time.Since(begin)
		if err != nil {
			in.fail(report, of, err)
			_ = in.stop(failure) // what could not start answers no other invocation either
			report.Memory = in.most
			return report
		}
	}
	in.runtime.memory.wake()
	begin := time.Now()
	of.Deadline = begin.Add(in.spec.Timeout)
	limited, cancel := context.WithTimeoutCause(ctx, in.spec.Timeout, errTimeout)
	defer cancel()
	err := in.runtime.api.Invoke(limited, of, chunks{in})
	report.Duration = time.Since(begin)
	in.runtime.memory.rest()
	in.runtime.memory.look() // it may have been too short for one
	in.runtime.logs.flush()
	report.Memory = max(in.most, in.runtime.memory.most())
	in.fail(report, of, err)
	return report
}

// fail adds the error of an invocation to its report. A runtime that ended, or that takes too long, is
// not used again.
func (in *instance) fail(report *Report, of runtimeapi.Invocation, err error) {
	if err == nil {
		return
	}
	ended := in.runtime != nil && in.runtime.api.Ended()
	if failed, ok := runtimeapi.IsError(err); ok {
		report.Err = failed.Of(of.ID)
	} else {
		ended = true
	}
	reason := failure
	if errors.Is(err, errTimeout) {
		report.TimedOut, reason = true, timeout
		report.Err = runtimeapi.NewError("Sandbox.Timedout", "RequestId: %s Error: Task timed out after %.2f seconds", of.ID, in.spec.Timeout.Seconds())
	} else if report.Err == nil {
		report.Err = runtimeapi.NewError("Runtime.Unknown", "RequestId: %s Error: %v", of.ID, err)
	}
	if !ended || in.runtime == nil {
		return
	}
	report.OutOfMemory = in.runtime.memory.exceeded()
	_ = in.stop(reason)
	report.Memory = in.most
}

// maxConnections is how many connections a function has to the Runtime API at most: a runtime needs one
// for each invocation that it asks for. More would take the files that the memory is read with.
const maxConnections = 256

// start starts the runtime, and waits until it and its extensions are ready.
func (in *instance) start(ctx context.Context, limit time.Duration) error {
	paths, names := externalExtensions()
	r := &runtime{api: runtimeapi.NewServer(in.spec.metadata(), names...)}
	var err error
	if r.logs, err = newLogs(func(text []byte) { in.send(Message{Log: text}) }); err != nil {
		return fmt.Errorf("read the output of the function: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("serve the Runtime API: %w", err)
	}
	r.memory = watchMemory(in.spec.Memory, in.spec.UID, in.spec.GID, r.killAll)
	r.server = &http.Server{Handler: r.api, ReadHeaderTimeout: time.Minute}
	go func() { _ = r.server.Serve(netutil.LimitListener(listener, maxConnections)) }()
	in.runtime = r
	limited, cancel := context.WithTimeoutCause(ctx, limit, errTimeout)
	defer cancel()
	if err = r.run(limited, in, listener.Addr().String(), paths); err == nil {
		err = r.api.WaitReady(limited)
	}
	r.logs.flush()
	for _, line := range r.api.Extensions() {
		in.send(Message{Warning: line})
	}
	if errors.Is(err, errTimeout) {
		return errors.Join(errTimeout, in.stop(timeout))
	}
	if failed, ok := runtimeapi.IsError(err); ok {
		r.api.End(failed) // if it has not ended by it
	}
	if reported := r.api.InitError(); err == nil && reported != nil {
		return reported // and it asked for an invocation all the same
	}
	return err
}

// stop ends the runtime, if one runs, and gives its extensions the time that Lambda gives them.
func (in *instance) stop(reason string) error {
	if in.runtime != nil {
		in.runtime.shutdown(reason)
	}
	return in.kill()
}

// kill ends the runtime at once, if one runs.
func (in *instance) kill() error {
	if in.runtime == nil {
		return nil
	}
	in.runtime.memory.look() // it may have been too short for one
	in.runtime.kill()
	in.most = max(in.most, in.runtime.memory.most())
	err := in.runtime.server.Close()
	in.runtime = nil
	return err
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
