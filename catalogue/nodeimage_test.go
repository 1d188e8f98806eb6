package catalogue

import (
	"strings"
	"testing"

	"github.com/distribution/reference"
)

// Every form of a tag of Lambda's base images says which runtime the image has.
func TestImageRuntime(t *testing.T) {
	t.Parallel()
	for ref, want := range map[string]string{
		"public.ecr.aws/lambda/python:3.13":                              "python3.13",
		"public.ecr.aws/lambda/python:3.8-x86_64":                        "python3.8",
		"public.ecr.aws/lambda/nodejs:22.2025.08.04.11":                  "nodejs22.x",
		"amazon/aws-lambda-nodejs:16-arm64":                              "nodejs16.x",
		"mirror.example.com/lambda-nodejs:26-preview":                    "nodejs26.x",
		"public.ecr.aws/lambda/java:8.al2":                               "java8.al2",
		"public.ecr.aws/lambda/java:17.al2023.2025.08.04.11":             "java17.al2023",
		"public.ecr.aws/lambda/java:21":                                  "java21",
		"public.ecr.aws/lambda/dotnet:6":                                 "dotnet6",
		"public.ecr.aws/lambda/dotnet:core3.1":                           "dotnetcore3.1",
		"public.ecr.aws/lambda/provided:al2":                             "provided.al2",
		"public.ecr.aws/lambda/provided:al2023.2025.08.04.11":            "provided.al2023",
		"public.ecr.aws/lambda/provided:alami":                           "provided",
		"public.ecr.aws/lambda/go:1":                                     "go1.x",
		"public.ecr.aws/sam/build-ruby2.7:1.100.0":                       "ruby2.7",
		"public.ecr.aws/lambda/python:latest":                            "",
		"public.ecr.aws/lambda/python":                                   "",
		"public.ecr.aws/lambda/python@sha256:" + strings.Repeat("a", 64): "",
		"python:3.8": "",
	} {
		named, err := reference.ParseNormalizedNamed(ref)
		if err != nil {
			t.Fatal(err)
		}
		if got := ImageRuntime(named); got != want {
			t.Errorf("%s has %q, want %q", ref, got, want)
		}
	}
}

// Each runtime in the catalogue that a Lambda base image can name is one that AWS calls so.
func TestImageRuntimesAreInTheCatalogue(t *testing.T) {
	t.Parallel()
	known := loadCatalogue(t)
	for _, ref := range []string{"python:3.8", "nodejs:22", "java:8.al2", "java:17.al2023", "dotnet:core3.1", "provided:alami", "provided:al2", "go:1", "ruby:3.2"} {
		named, err := reference.ParseNormalizedNamed("public.ecr.aws/lambda/" + ref)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := known.Runtime(ImageRuntime(named)); !ok {
			t.Errorf("the catalogue has no runtime %q, which %s has", ImageRuntime(named), ref)
		}
	}
}
