// Command gofunction is a function with AWS's own client for Go, for images without anything else. Its
// argument is the handler.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

func main() {
	if name, ok := strings.CutPrefix(os.Args[0], "/opt/extensions/"); ok {
		os.Exit(extend(name))
	}
	switch handler := os.Getenv("_HANDLER"); handler {
	case "answers":
		lambda.Start(answers)
	case "ends": // with an internal extension
		lambda.StartWithOptions(answers, lambda.WithEnableSIGTERM(func() {
			fmt.Println("the runtime got SIGTERM")
			os.Exit(0)
		}))
	case "streams":
		lambda.Start(func(context.Context, struct{}) (io.Reader, error) {
			return strings.NewReader(strings.Repeat("stream ", 3)), nil
		})
	case "breaks":
		lambda.Start(func(context.Context, struct{}) (io.Reader, error) {
			return io.MultiReader(strings.NewReader("the first part"), broken{}), nil
		})
	case "bytes":
		lambda.Start(raw{})
	case "panics":
		panic("no start today")
	case "waits":
		forever()
	case "twice", "asks":
		err := misbehave(handler)
		fmt.Println(handler+":", err)
		forever()
	default:
		fmt.Fprintf(os.Stderr, "there is no handler %q\n", handler)
		os.Exit(5)
	}
}

// forever waits for SIGTERM.
func forever() {
	ended, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	<-ended.Done()
}

// answers does what the event says.
func answers(ctx context.Context, event struct {
	Do, Mark  string
	Megabytes int
}) (any, error) {
	switch event.Do {
	case "fail":
		return nil, errors.New("it failed")
	case "panic":
		panic("it panicked")
	case "environment":
		return environment(ctx), nil
	case "child": // in a session of its own, with the log of the function
		child := exec.Command("/proc/self/exe")
		child.Env, child.Stdout, child.Stderr = []string{"_HANDLER=waits", "MARK=" + event.Mark}, os.Stdout, os.Stderr
		child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		return "started", child.Start()
	case "flood":
		return flood(event.Megabytes)
	case "no newline":
		fmt.Print("the end of the log")
	}
	return "did " + event.Do, nil
}

func environment(ctx context.Context) any {
	_, concurrent := os.LookupEnv("AWS_LAMBDA_MAX_CONCURRENCY")
	of, _ := lambdacontext.FromContext(ctx)
	deadline, _ := ctx.Deadline()
	return map[string]any{
		"concurrent": concurrent, "name": lambdacontext.FunctionName, "memory": lambdacontext.MemoryLimitInMB,
		"id": len(of.AwsRequestID), "arn": of.InvokedFunctionArn, "soon": time.Until(deadline) < time.Minute,
	}
}

// flood logs that many MiB, in lines of 1 KiB.
func flood(megabytes int) (string, error) {
	line := append(bytes.Repeat([]byte("x"), 1023), '\n')
	for range megabytes << 10 {
		if _, err := os.Stdout.Write(line); err != nil {
			return "", err
		}
	}
	return "logged", nil
}

// broken is a response that breaks.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("the response broke") }

// raw answers with bytes that are no JSON: all of them for the event null, as many newlines as a number
// says, and otherwise as many as the event has bytes.
type raw struct{}

func (raw) Invoke(_ context.Context, event []byte) ([]byte, error) {
	if string(event) == "null" {
		all := make([]byte, 256)
		for i := range all {
			all[i] = byte(i)
		}
		return all, nil
	}
	n, err := strconv.Atoi(string(event))
	if err != nil {
		n = len(event)
	}
	return bytes.Repeat([]byte("\n"), n), nil
}
