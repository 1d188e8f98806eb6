// Stand-ins for public.ecr.aws/sam/build-<runtime>. The configuration follows
// https://github.com/aws/aws-sam-build-images and aws-lambda-base-images.

package testenv

import (
	"context"
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// SAMBaseOptions describes a SAM build image. Runtime and Arch are required.
type SAMBaseOptions struct {
	Runtime    string // such as nodejs22.x
	Arch       string // amd64 or arm64
	SAMVersion string // default 1.144.0; another one changes all except the first two layers
	Size       int64  // compressed bytes, spread over the layers; default 1 MiB
	Docker     bool
	Extra      []Layer // on top of the others
}

// al2 are the runtimes on Amazon Linux 2; all others are on Amazon Linux 2023.
var al2 = []string{
	"nodejs16.x", "nodejs18.x", "python3.8", "python3.9", "python3.10", "python3.11",
	"java8.al2", "java11", "java17", "ruby3.2", "dotnet6", "dotnet7", "provided.al2",
}

// SAMBase makes a SAM build image: four layers (system, language, tool chain, SAM and AWS CLI).
// Images of one Amazon Linux generation share the first.
func SAMBase(ctx context.Context, options SAMBaseOptions) (v1.Image, error) {
	if options.SAMVersion == "" {
		options.SAMVersion = "1.144.0"
	}
	if options.Size == 0 {
		options.Size = 1 << 20
	}
	generation := "2023"
	if slices.Contains(al2, options.Runtime) {
		generation = "2"
	}
	language, err := languageFiles(ctx, options)
	if err != nil {
		return nil, err
	}
	clis, err := cliFiles(ctx, options)
	if err != nil {
		return nil, err
	}

	blob := func(files []File, name string, percent int64) Layer {
		return Layer{Files: files, Incompressible: max(options.Size*percent/100, 1), Blob: name + "-" + options.Arch}
	}
	layers := []Layer{
		blob(systemFiles(generation), "al"+generation, 10),
		blob(language, options.Runtime, 25),
		blob(nil, options.Runtime+"-tools-"+options.SAMVersion, 40),
		blob(clis, options.Runtime+"-sam-"+options.SAMVersion, 25),
	}
	history := []string{
		"ADD amazonlinux-" + generation + ".tar.xz / # buildkit",
		"#ENV LANG=en_US.UTF-8", "#ENV TZ=:/etc/localtime", "#WORKDIR /var/task",
		"ADD " + options.Runtime + ".tar.xz / # buildkit",
		"#ENTRYPOINT [\"/lambda-entrypoint.sh\"]",
		"RUN dnf groupinstall -y development # buildkit",
		"RUN curl -L aws-sam-cli-linux.zip # buildkit",
	}
	for range options.Extra {
		history = append(history, "COPY extra / # buildkit")
	}
	history = append(history, "#ENTRYPOINT []", "#CMD [\"/bin/bash\"]")
	return Image(ImageOptions{
		Arch:   options.Arch,
		Docker: options.Docker,
		Config: v1.Config{
			Env:        samEnv(options),
			WorkingDir: "/var/task",
			Cmd:        []string{"/bin/bash"},
		},
		Layers:  append(layers, options.Extra...),
		History: history,
	})
}

// lambdaEnv is the environment of a real Lambda base image.
func lambdaEnv() []string {
	return []string{
		"LANG=en_US.UTF-8", "TZ=:/etc/localtime",
		"PATH=/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
		"LD_LIBRARY_PATH=/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
		"LAMBDA_TASK_ROOT=/var/task", "LAMBDA_RUNTIME_DIR=/var/runtime",
	}
}

// samEnv is the environment of the real image.
func samEnv(options SAMBaseOptions) []string {
	env := append(lambdaEnv(), "SAM_CLI_VERSION="+options.SAMVersion)
	env[2] += ":/usr/local/opt/lambda-builders/bin"
	switch runtime := options.Runtime; {
	case strings.HasPrefix(runtime, "nodejs"):
		major := strings.TrimSuffix(strings.TrimPrefix(runtime, "nodejs"), ".x")
		env = append(env, "AWS_EXECUTION_ENV=AWS_Lambda_"+runtime,
			"NODE_PATH=/opt/nodejs/node"+major+"/node_modules:/opt/nodejs/node_modules:/var/runtime/node_modules")
	case strings.HasPrefix(runtime, "java"):
		env = append(env, "JAVA_HOME=/var/lang")
	case strings.HasPrefix(runtime, "dotnet"):
		env = append(env, "DOTNET_ROOT=/var/lang/bin", "DOTNET_CLI_HOME=/tmp/dotnet", "XDG_DATA_HOME=/tmp/xdg")
	case strings.HasPrefix(runtime, "provided"):
		env[2] += ":/usr/local/go/bin:/root/go/bin"
		env = append(env, "GOPROXY=direct")
	}
	return env
}

// systemFiles is the skeleton of Amazon Linux, which has its programs in /usr.
func systemFiles(generation string) []File {
	release := fmt.Sprintf("NAME=\"Amazon Linux\"\nVERSION=\"%s\"\nID=\"amzn\"\nID_LIKE=\"fedora\"\nVERSION_ID=\"%s\"\nPRETTY_NAME=\"Amazon Linux %s\"\n",
		generation, generation, generation)
	files := []File{
		{Path: "/bin", Link: "usr/bin"}, {Path: "/sbin", Link: "usr/sbin"},
		{Path: "/lib", Link: "usr/lib"}, {Path: "/lib64", Link: "usr/lib64"},
		{Path: "/tmp", Dir: true, Mode: 0o1777}, {Path: "/root", Dir: true, Mode: 0o550},
		{Path: "/usr/lib/os-release", Data: []byte(release)}, {Path: "/etc/os-release", Link: "../usr/lib/os-release"},
		{Path: "/etc/passwd", Data: []byte("root:x:0:0:root:/root:/bin/bash\n")},
		{Path: "/etc/group", Data: []byte("root:x:0:\n")},
	}
	for _, dir := range []string{"/dev", "/proc", "/sys", "/run", "/home", "/opt", "/usr/bin", "/usr/sbin", "/usr/lib64",
		"/usr/local/bin", "/usr/local/lib", "/var/lang/bin", "/var/lang/lib", "/var/runtime", "/var/task", "/var/tmp"} {
		files = append(files, File{Path: dir, Dir: true})
	}
	return files
}

func languageFiles(ctx context.Context, options SAMBaseOptions) ([]File, error) {
	files := []File{{Path: "/var/runtime/bootstrap", Mode: 0o755, Data: []byte("#!/bin/bash\n# " + options.Runtime + "\n")}}
	program, version := "", ""
	if major, ok := strings.CutPrefix(options.Runtime, "nodejs"); ok {
		program, version = "node", strings.TrimSuffix(major, ".x")+".19.0"
	} else if minor, ok := strings.CutPrefix(options.Runtime, "python"); ok {
		program, version = "python3", minor+".11"
	}
	if program == "" {
		return files, nil
	}
	data, err := Executable(ctx, program, options.Arch, version)
	if err != nil {
		return nil, err
	}
	return append(files, File{Path: "/var/lang/bin/" + program, Mode: 0o755, Data: data}), nil
}

func cliFiles(ctx context.Context, options SAMBaseOptions) ([]File, error) {
	sam, err := Executable(ctx, "sam", options.Arch, options.SAMVersion)
	if err != nil {
		return nil, err
	}
	aws, err := Executable(ctx, "aws", options.Arch, "2.28.26")
	if err != nil {
		return nil, err
	}
	return []File{
		{Path: "/usr/local/aws-sam-cli/" + options.SAMVersion + "/dist/sam", Mode: 0o755, Data: sam},
		{Path: "/usr/local/aws-sam-cli/current", Link: options.SAMVersion},
		{Path: "/usr/local/bin/sam", Link: "/usr/local/aws-sam-cli/current/dist/sam"},
		{Path: "/usr/local/bin/aws", Mode: 0o755, Data: aws},
		{Path: "/ATTRIBUTION.txt", Data: []byte("Stand-in for a SAM build image.\n")},
	}, nil
}
