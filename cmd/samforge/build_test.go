package main

import (
	"strings"
	"testing"
)

func TestABuilderGivenTwiceIsBadInput(t *testing.T) {
	const address = "tcp://builder.example.com:1234"
	_, err := execute("build", "--kind", "sam", "--repo", "registry.example.com/ci/sam",
		"--build-arg", "HARNESS_BASE_IMAGE=harness/aws-sam-plugin:1.1.2-beta-base-image", "--build-arg", "VERSION=1.1.2",
		"--build-arg", "SAM_BASE_IMAGE=public.ecr.aws/sam/build-nodejs22.x:1.144.0-20250911030138-x86_64",
		"--builder", address, "--builder", address)
	if err == nil || exitCode(err) != exitInput || !strings.Contains(err.Error(), address+" is given twice") {
		t.Errorf("the error is %v, exit code %d", err, exitCode(err))
	}
}
