// Stand-ins for the images that functions of a SAM application are built from: Lambda's base
// images, with a client of the Runtime API as the real ones have it, and the image that compiles
// Go.

package testenv

import (
	"context"
	_ "embed"
	"path"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// The public names of the images that [FunctionBases] makes.
const (
	NodeFunctionBase     = "public.ecr.aws/lambda/nodejs:22"
	PythonFunctionBase   = "public.ecr.aws/lambda/python:3.13"
	ProvidedFunctionBase = "public.ecr.aws/lambda/provided:al2023"
	GoImage              = "docker.io/library/golang:1.26"
)

var (
	//go:embed lambda/lambda-entrypoint.sh
	lambdaEntrypoint []byte
	//go:embed lambda/client.mjs
	nodeClient []byte
	//go:embed lambda/client.py
	pythonClient []byte
)

// FunctionBases makes the images that examples/application names, for amd64. Functions run in them.
func FunctionBases(ctx context.Context) (Set, error) {
	node, err := NodeRuntime(ctx, "22.23.3", "amd64")
	if err != nil {
		return nil, err
	}
	python := Layer{Files: []File{{Path: "/var/lang/bin/python3", Link: "/usr/bin/python3"}}}
	set := Set{}
	for _, base := range []struct {
		ref, debian string
		runtime     []Layer
	}{
		{NodeFunctionBase, "bookworm", []Layer{node, runtimeClient("node", "client.mjs", nodeClient)}},
		{PythonFunctionBase, "trixie", []Layer{python, runtimeClient("python3", "client.py", pythonClient)}},
		{ProvidedFunctionBase, "bookworm", nil},
	} {
		if set[base.ref], err = functionBase(ctx, base.debian, base.runtime); err != nil {
			return nil, err
		}
	}
	set[GoImage], err = golang(ctx)
	return set, err
}

// functionBase makes one of Lambda's base images. They have no history.
func functionBase(ctx context.Context, debian string, runtime []Layer) ([]v1.Image, error) {
	system, err := DebianRoot(ctx, debian, systemPackages...)
	if err != nil {
		return nil, err
	}
	lambda := append(lambdaFiles(systemFiles("2023")), File{Path: "/lambda-entrypoint.sh", Mode: 0o755, Data: lambdaEntrypoint})
	image, err := Image(ImageOptions{
		Arch:    "amd64",
		Config:  v1.Config{Env: lambdaEnv(), WorkingDir: "/var/task", Entrypoint: []string{"/lambda-entrypoint.sh"}},
		Layers:  append([]Layer{system, {Files: lambda}}, runtime...),
		History: []string{},
	})
	return []v1.Image{image}, err
}

// runtimeClient returns the layer with /var/runtime/bootstrap, which runs a client of the Runtime
// API.
func runtimeClient(program, name string, client []byte) Layer {
	file := path.Join("/var/runtime", name)
	return Layer{Files: []File{
		{Path: "/var/runtime/bootstrap", Mode: 0o755, Data: []byte("#!/bin/sh\nexec /var/lang/bin/" + program + " " + file + "\n")},
		{Path: file, Data: client},
	}}
}
