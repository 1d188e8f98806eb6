// Stand-ins for public.ecr.aws/lambda/nodejs, AWS Lambda's own base images, which the
// SAM build images are built on:
// https://github.com/aws/aws-lambda-base-images, https://github.com/aws/aws-sam-build-images

package testenv

import (
	"context"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// The public names of the Lambda base images that [ServerlessBases] makes. Their
// layers are the first ones of the SAM images of the same runtime.
const (
	Lambda18Base = "public.ecr.aws/lambda/nodejs:18.2025.05.04.04"
	Lambda20Base = "public.ecr.aws/lambda/nodejs:20.2025.03.25.16"
	Lambda22Base = "public.ecr.aws/lambda/nodejs:22.2025.08.04.11"
)

// lambdaBases maps the SAM image of a runtime to the Lambda base image.
var lambdaBases = map[string]string{
	Node18Base: Lambda18Base, Node20Base: Lambda20Base, Node22Base: Lambda22Base,
}

// lambdaBase makes the Lambda base image of a runtime: a system and /var/lang. The
// real one has neither tar nor find, and no history.
func lambdaBase(ctx context.Context, sam SAMBaseOptions, language Layer) (v1.Image, error) {
	image := ImageOptions{
		Arch:   sam.Arch,
		Docker: sam.Docker,
		Config: v1.Config{Env: lambdaEnv(), WorkingDir: "/var/task", Entrypoint: []string{"/lambda-entrypoint.sh"}},
		// An empty list: without a list there would be an entry for each layer.
		History: []string{},
	}
	system, err := runningSystem(ctx, sam, "")
	if err != nil {
		return nil, err
	}
	image.Layers = append(system, language)
	if sam.Arch == "amd64" {
		image.Layers = append(image.Layers, Layer{Files: without("/usr/bin/tar", "/usr/bin/gzip", "/usr/bin/gunzip", "/usr/bin/find", "/usr/bin/xargs")})
	}
	return Image(image)
}

// without removes files of lower layers:
// https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts
func without(files ...string) (whiteouts []File) {
	for _, file := range files {
		i := strings.LastIndexByte(file, '/') + 1
		whiteouts = append(whiteouts, File{Path: file[:i] + ".wh." + file[i:]})
	}
	return whiteouts
}
