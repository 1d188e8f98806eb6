package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/samforge/samforge/integration/testenv"
)

// invocations is the section on samforge invoke: what it adds to a function that the builder has.
func (b *bench) invocations(ctx context.Context) error {
	b.say("making the base image of the function")
	bases, err := testenv.FunctionBases(ctx)
	if err != nil {
		return err
	}
	if err := b.registry.PublishAll(bases); err != nil {
		return err
	}
	template, err := b.functionToInvoke()
	if err != nil {
		return err
	}
	return b.onFreshBuildkitd(ctx, testenv.BuildkitdOptions{Rootless: true}, func(d *testenv.Buildkitd) error {
		invoke := func(times int) (result, error) {
			return b.command(ctx, []string{"DOCKER_CONFIG=" + b.dir}, b.samforge, "invoke", "--builder", d.Addr, "-t", template, "--invocations", strconv.Itoa(times))
		}
		if _, err := invoke(1); err != nil { // builds it
			return err
		}
		b.registry.Reset()
		var once, ten, added samples
		for range b.runs {
			one, err := invoke(1)
			if err != nil {
				return err
			}
			own, err := handlerTime(one.stderr)
			if err != nil {
				return err
			}
			once, added = append(once, one.wall), append(added, one.wall-own)
			all, err := invoke(10)
			if err != nil {
				return err
			}
			if got := strings.Count(all.stdout, "done"); got != 10 {
				return fmt.Errorf("ten invocations gave %d responses", got)
			}
			ten = append(ten, all.wall)
		}
		rows := [][]string{
			{"1.0x", seconds(once.median()), once.String(), "samforge invoke, once"},
			{ratio(ten.median(), once.median()), seconds(ten.median()), ten.String(), "samforge invoke --invocations 10"},
		}
		printTable("Invoke", "A function in Node.js whose image the builder has, a rootless one, and that answers at once.", []string{"X ONCE", "WALL", "MIN-MAX", ""}, rows)
		b.claimBelow("what an invocation adds to the handler's own time", added.median(), time.Second)
		over := quotient(ten.median(), once.median())
		b.claim(over <= 1.5, "ten invocations take at most 1.5x one", fmt.Sprintf("%.2fx", over))
		if err := b.served(ctx, d.Addr, template); err != nil {
			return err
		}
		pulled := layersPulled(b.registry)
		b.claim(pulled == 0, "no layer is pulled", strconv.Itoa(pulled))
		return nil
	})
}

// served says how long a request to samforge start-api takes.
func (b *bench) served(ctx context.Context, builder, template string) error {
	times, err := b.requests(ctx, builder, template)
	if err != nil {
		return err
	}
	milliseconds := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.say("a request to samforge start-api, answered by a warm instance, takes %.1f ms (%.1f to %.1f)",
		milliseconds(times.median()), milliseconds(slices.Min(times)), milliseconds(slices.Max(times)))
	return nil
}

// functionToInvoke writes the template of a function, and returns its path.
func (b *bench) functionToInvoke() (string, error) {
	base, err := b.registry.Ref(testenv.NodeFunctionBase)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(b.dir, "invoke")
	for name, text := range map[string]string{
		"template.yaml": "Transform: AWS::Serverless-2016-10-31\nResources:\n  App:\n    Type: AWS::Serverless::Function\n    Properties: {PackageType: Image, MemorySize: 512, Events: {Any: {Type: HttpApi}}}\n" +
			"    Metadata: {Dockerfile: Dockerfile, DockerContext: ./app}\n",
		"app/Dockerfile": "FROM " + base + "\nCOPY app.mjs ./\nCMD [\"app.handler\"]\n",
		"app/app.mjs":    "export const handler = async () => 'done';\n",
	} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			return "", err
		}
	}
	return filepath.Join(dir, "template.yaml"), nil
}

// servedRequests is how many requests are measured, after the one that starts the instance.
const servedRequests = 100

// requests returns the times of requests to samforge start-api.
func (b *bench) requests(ctx context.Context, builder, template string) (times samples, err error) {
	cmd := exec.CommandContext(ctx, b.samforge, "start-api", "-q", "--port", "0", "--builder", builder, "-t", template)
	cmd.Env = append(os.Environ(), "DOCKER_CONFIG="+b.dir)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, cmd.Process.Signal(os.Interrupt), cmd.Wait()) }()
	logs := bufio.NewReader(stderr)
	line, err := logs.ReadString('\n')
	if err != nil {
		return nil, err
	}
	go func() { _, _ = io.Copy(io.Discard, logs) }()
	address, _, _ := strings.Cut(line, " ")
	for i := range servedRequests + 1 {
		begin := time.Now()
		response, err := http.Get(address)
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(response.Body)
		if err := errors.Join(err, response.Body.Close()); err != nil || string(text) != "done" {
			return nil, fmt.Errorf("start-api answered %s, %q: %w", response.Status, text, err)
		}
		if i > 0 {
			times = append(times, time.Since(begin))
		}
	}
	return times, nil
}

var reportedTime = regexp.MustCompile(`\tDuration: ([\d.]+) ms`)

// handlerTime returns the time of the handler that an invocation reported.
func handlerTime(logs string) (time.Duration, error) {
	found := reportedTime.FindStringSubmatch(logs)
	if found == nil {
		return 0, fmt.Errorf("there is no report in\n%s", logs)
	}
	ms, err := strconv.ParseFloat(found[1], 64)
	return time.Duration(ms * float64(time.Millisecond)), err
}
