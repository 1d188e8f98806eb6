package llbgen

import (
	"strings"
	"testing"
)

// A base image that is only a runtime, or that names none, is answered by what to write.
func TestBaseImagesWithoutARuntime(t *testing.T) {
	t.Parallel()
	find := func(runtime string, mirrors Mirrors) string {
		if runtime != "python3.13" || mirrors["docker.io"] != "mirror.example.com/hub" {
			return ""
		}
		return "public.ecr.aws/sam/build-python3.13:1.150.0-20251211000000"
	}
	const tag = " with the tag of a build, such as 1.143.0-20250822194415 (samforge init --runtime "
	for image, want := range map[string]string{
		"python3.13":                         `"python3.13" is a runtime, not an image: write public.ecr.aws/sam/build-python3.13:1.150.0-20251211000000, its newest image`,
		"nodejs22.x":                         `"nodejs22.x" is a runtime, not an image: write public.ecr.aws/sam/build-nodejs22.x` + tag + "nodejs22.x finds the newest)",
		"mirror.example.com/sam/java21:1.1":  `"mirror.example.com/sam/java21:1.1" (it has no build-<runtime>): set runtimes[0].name by hand, such as name: java21`,
		"example.com/aws-ruby3.3-base:1.1":   "such as name: ruby3.3",
		"public.ecr.aws/lambda/java:8.al2":   "such as name: java8.al2",
		"example.com/base:1.143.0":           "such as name: python3.12",
		"example.com/python3.99:1.143.0":     "such as name: python3.12",
		"public.ecr.aws/sam/python3.12:beta": "such as name: python3.12",
	} {
		file := "kind: sam\nplugin: {image: harness/plugin:1, version: 1}\nmirrors: {docker.io: mirror.example.com/hub}\nruntimes:\n  - image: " + image + "\n"
		_, err := Load(Filename, []byte(file), nil, NewestImage(find))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v\nwant %s", image, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "is a runtime") && strings.Contains(err.Error(), "no SAM CLI version") {
			t.Errorf("%s: a second mistake hides the first: %v", image, err)
		}
	}
	_, err := Load(Filename, nil, map[string]string{"SAMFORGE_KIND": "sam", "HARNESS_BASE_IMAGE": "harness/plugin:1", "VERSION": "1", "SAM_BASE_IMAGE": "python3.13"})
	if want := `build argument SAM_BASE_IMAGE: "python3.13" is a runtime, not an image: write public.ecr.aws/sam/build-python3.13 with the tag`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v\nwant %s", err, want)
	}
}
