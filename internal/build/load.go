package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"github.com/moby/buildkit/session/filesync"
)

// dockerLoad returns an output that feeds `docker load`, so that the docker command chooses the
// engine and the credentials.
func dockerLoad() (filesync.FileOutputFunc, error) {
	docker, err := exec.LookPath("docker")
	if err != nil {
		return nil, errors.New("--load needs the docker command on PATH: install the Docker CLI, or use --output type=docker,dest=image.tar")
	}
	return func(map[string]string) (io.WriteCloser, error) {
		load := &loading{cmd: exec.Command(docker, "load", "--quiet")}
		load.cmd.Stderr = &load.stderr
		stdin, err := load.cmd.StdinPipe()
		if err != nil {
			return nil, err
		}
		load.WriteCloser = stdin
		return load, load.cmd.Start()
	}, nil
}

// checkEngine returns an error unless the docker command reaches an engine. Found out only during a
// build, the builder would just say that a pipe broke.
func checkEngine(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, engineTimeout, fmt.Errorf("no answer within %s", engineTimeout))
	defer cancel()
	out, err := exec.CommandContext(ctx, "docker", "version", "--format", "{{.Server.Version}}").CombinedOutput()
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case err != nil && len(out) > 0:
		err = errors.New(strings.TrimSpace(string(out)))
	}
	if err != nil {
		return fmt.Errorf("--load gives the images to a Docker engine, and the docker command reaches none: start Docker or set DOCKER_HOST, or use --output type=docker,dest=image.tar: %w", err)
	}
	return nil
}

// engineTimeout limits how long an engine may take to report its version.
const engineTimeout = 30 * time.Second

// loading is a running `docker load`; closing it waits for the engine.
type loading struct {
	io.WriteCloser
	cmd    *exec.Cmd
	stderr strings.Builder
}

func (l *loading) Close() error {
	if err := l.WriteCloser.Close(); err != nil {
		return err
	}
	if err := l.cmd.Wait(); err != nil {
		return fmt.Errorf("docker load: %w: %s", err, strings.TrimSpace(l.stderr.String()))
	}
	return nil
}
