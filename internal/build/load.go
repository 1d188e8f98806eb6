package build

import (
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"

	"github.com/moby/buildkit/session/filesync"
)

// dockerLoad returns an output that feeds `docker load`, so that the docker
// command decides which engine and which credentials are meant.
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
