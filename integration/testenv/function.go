// Running the images of Lambda functions in a Docker engine.

package testenv

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"time"
)

// Function is a running Lambda function behind the runtime interface emulator, which is what
// `sam local invoke` runs it with: https://github.com/aws/aws-lambda-runtime-interface-emulator
type Function struct {
	url     string
	process *process
}

// FunctionOptions says how a function runs in an engine.
type FunctionOptions struct {
	// Command takes the place of the image's.
	Command []string
	// Unlimited runs it as `docker run` does without options, and not as Lambda: as an unprivileged
	// user, with nothing but /tmp to write to.
	Unlimited bool
}

// StartFunction runs an image that the engine has. It listens on loopback.
func (d *Dockerd) StartFunction(ctx context.Context, image string, options FunctionOptions) (*Function, error) {
	emulator, err := Tool("aws-lambda-rie")
	if err != nil {
		return nil, err
	}
	command, err := d.command(ctx, image, options.Command)
	if err != nil {
		return nil, err
	}
	addresses, err := freeAddresses(2)
	if err != nil {
		return nil, err
	}
	args := []string{"--host", d.Host, "run", "--rm", "--network", "host"} // it has no bridge
	if !options.Unlimited {
		args = append(args, "--read-only", "--tmpfs", "/tmp", "--user", "993:990")
	}
	args = append(args, "--volume", emulator+":/aws-lambda-rie:ro", "--entrypoint", "/aws-lambda-rie", image,
		"--runtime-interface-emulator-address", addresses[0], "--runtime-api-address", addresses[1])
	f := &Function{url: "http://" + addresses[0]}
	if f.process, err = startProcess(exec.Command("docker", append(args, command...)...)); err != nil {
		return nil, err
	}
	listens := func(ctx context.Context) error {
		connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", addresses[0])
		if err != nil {
			return err
		}
		return connection.Close()
	}
	if err := f.process.waitReady(ctx, 30*time.Second, listens); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// command returns the entrypoint and the command of an image, or the given one.
func (d *Dockerd) command(ctx context.Context, image string, command []string) ([]string, error) {
	output, err := exec.CommandContext(ctx, "docker", "--host", d.Host, "image", "inspect", "--format", "{{json .Config}}", image).Output()
	if err != nil {
		return nil, fmt.Errorf("docker image inspect %s: %w", image, err)
	}
	var config struct{ Entrypoint, Cmd []string }
	if err := json.Unmarshal(output, &config); err != nil {
		return nil, fmt.Errorf("docker image inspect %s: %w", image, err)
	}
	if command == nil {
		command = config.Cmd
	}
	return append(config.Entrypoint, command...), nil
}

// Invoke sends an event to the function and returns what it answers: its response, or the error
// that it ended with, in JSON.
func (f *Function) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.url+"/2015-03-31/functions/function/invocations", bytes.NewReader(event))
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("invoking a function: %w; its log ends with:\n%s", err, f.process.log)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("invoking a function: the emulator answers %s; its log ends with:\n%s", resp.Status, f.process.log)
	}
	return io.ReadAll(resp.Body)
}

// Log returns the end of what the function and the emulator have printed.
func (f *Function) Log() string { return f.process.log.String() }

// Close ends the function and removes its container.
func (f *Function) Close() error {
	f.process.stop(f.process.cmd.Process.Pid, 10*time.Second)
	return nil
}
