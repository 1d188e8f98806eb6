package invoke

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"

	"github.com/google/uuid"

	"github.com/samforge/samforge/internal/lambda/instance"
	"github.com/samforge/samforge/internal/lambda/runtimeapi"
)

// serve speaks with an instance.
func (i *Invoker) serve(ctx context.Context, id string, conn io.ReadWriter) (known bool, err error) {
	in := i.instance(id)
	if in == nil {
		return false, nil
	}
	i.mu.Lock()
	in.connected = true
	i.mu.Unlock()
	if err := i.talk(ctx, in, newLink(conn)); err != nil && ctx.Err() == nil {
		i.failed(in, err)
	}
	return true, nil
}

// failed keeps the first reason for which the step fails.
func (i *Invoker) failed(in *running, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if in.err == nil {
		in.err = err
	}
}

// talk sends the instance its events, one after the other.
func (i *Invoker) talk(ctx context.Context, in *running, l *link) error {
	if err := l.say(instance.Request{Spec: &in.spec}); err != nil {
		return err
	}
	for request := range in.requests(ctx, i.responses()) {
		report, err := i.exchange(in, request, l)
		if err == nil {
			i.note(in, report)
		}
		if ended := request.Done(report, err); ended != nil && err == nil {
			i.failed(in, ended) // before the builder says that the step has ended
			return i.end(true, l)
		} else if ended != nil {
			return ended
		}
	}
	if in.Requests != nil { // the step or the connection has ended
		return nil
	}
	return i.end(false, l)
}

// end ends an instance, and passes on what its runtime and its extensions log until then.
func (i *Invoker) end(fail bool, l *link) error {
	if err := l.say(instance.Request{End: true, Fail: fail}); err != nil {
		return err
	}
	_, err := i.listen(l, io.Discard)
	return err
}

// note keeps how an invocation ended.
func (i *Invoker) note(in *running, report *instance.Report) {
	i.mu.Lock()
	defer i.mu.Unlock()
	in.answered++
	if in.last = report.Err; report.Err != nil {
		in.failed = report.Err
	}
}

// requests are the events of a call: the same one again and again, or those that come until the step or
// the connection has ended.
func (in *running) requests(ctx context.Context, out io.Writer) iter.Seq[*Request] {
	return func(yield func(*Request) bool) {
		for range in.times() {
			if in.Requests == nil && !yield(in.own(out)) {
				return
			}
		}
		for in.Requests != nil {
			select {
			case request := <-in.Requests:
				if !yield(request) {
					return
				}
			case <-in.over:
				return
			case <-ctx.Done():
				return
			}
		}
	}
}

// own returns the request with the event of the call itself.
func (in *running) own(out io.Writer) *Request {
	if !in.Proof {
		return &Request{Event: in.Event, Out: out, Done: func(_ *instance.Report, err error) error { return err }}
	}
	var response bytes.Buffer
	return &Request{Event: in.Event, Out: &response, Done: func(report *instance.Report, err error) error {
		if err != nil {
			return err
		}
		return in.judge(report, response.Bytes())
	}}
}

// exchange sends the instance one event, and passes on what it says until the invocation is over.
func (i *Invoker) exchange(in *running, request *Request, l *link) (*instance.Report, error) {
	invocation := runtimeapi.Invocation{
		ID: uuid.NewString(), Event: request.Event, TraceID: "Root=1-00000000-000000000000000000000000;Parent=0000000000000000;Sampled=0",
		ARN: "arn:aws:lambda:" + i.opt.Region + ":" + runtimeapi.AccountID + ":function:" + in.Name,
	}
	fmt.Fprintf(i.opt.Stderr, "START RequestId: %s Version: $LATEST\n", invocation.ID)
	if err := l.say(instance.Request{Invoke: &invocation}); err != nil {
		return nil, err
	}
	report, err := i.listen(l, request.Out)
	if err != nil {
		return nil, err
	}
	if report.Err != nil && in.Requests == nil {
		_, _ = request.Out.Write(report.Err.Body) // in place of a response
	}
	if err := endLine(request.Out); err != nil {
		return nil, err
	}
	i.print(invocation.ID, in.Function, report)
	return report, nil
}

// listen passes on what an instance says until an invocation is over.
func (i *Invoker) listen(l *link, out io.Writer) (*instance.Report, error) {
	for {
		m, err := l.hear()
		if err != nil {
			return nil, err
		}
		if m.Warning != "" || len(m.Log) > 0 {
			if err := endLine(out); err != nil {
				return nil, err
			}
		}
		switch {
		case m.Done != nil:
			return m.Done, nil
		case m.Warning != "":
			_, err = fmt.Fprintln(i.opt.Stderr, m.Warning)
		case len(m.Log) > 0:
			_, err = i.opt.Stderr.Write(m.Log)
		default:
			_, err = out.Write(m.Chunk)
		}
		if err != nil {
			return nil, err
		}
		l.confirm(len(m.Log) + len(m.Chunk))
	}
}

// link is the connection to an instance.
type link struct {
	to    *json.Encoder
	from  *json.Decoder
	heard int // bytes that the instance does not know of
}

func newLink(conn io.ReadWriter) *link {
	return &link{to: json.NewEncoder(conn), from: json.NewDecoder(conn)}
}

func (l *link) say(request instance.Request) error {
	if err := l.to.Encode(request); err != nil {
		return fmt.Errorf("the connection to the instance: %w", err)
	}
	return nil
}

func (l *link) hear() (m instance.Message, err error) {
	if err := l.from.Decode(&m); err != nil {
		return m, fmt.Errorf("the connection to the instance: %w", err)
	}
	return m, nil
}

// confirm tells the instance that bytes of logs and of a response have arrived, a part of the window at a
// time. An instance that has ended by now does not hear it, and what it said last is still to be heard.
func (l *link) confirm(bytes int) {
	if l.heard += bytes; l.heard >= instance.Window/4 {
		_ = l.say(instance.Request{Heard: l.heard})
		l.heard = 0
	}
}

// Failed returns the error of the last invocation that failed; nil if none did.
func (i *Invoker) Failed() (last *runtimeapi.Error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, in := range i.instances {
		if in.failed != nil {
			last = in.failed
		}
	}
	return last
}
