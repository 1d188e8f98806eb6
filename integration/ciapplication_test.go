package integration

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/samforge/samforge/integration/testenv"
)

// deployment stands in for aws and sam, which deploy the packaged template: it keeps what it is
// called with.
const deployment = `#!/bin/sh
echo "$(basename "$0") $*" >>deployed
`

// Each template's own commands package the application and hand the template to what deploys it,
// with the images of all functions in it. The next run finds them and builds nothing.
func TestCITemplatesOfApplications(t *testing.T) {
	t.Parallel()
	b, npm := sharedBed(t)
	a := newExampleApplication(t, b, npm)
	bin := t.TempDir()
	for _, name := range []string{"aws", "sam"} {
		must(t, os.WriteFile(filepath.Join(bin, name), []byte(deployment), 0o755))
	}
	const cloudFormation = "aws cloudformation deploy --template-file packaged.yaml --stack-name demo-app --capabilities CAPABILITY_IAM --no-fail-on-empty-changeset\n"
	for file, deploys := range map[string]string{
		"application-github-actions.yml":  cloudFormation,
		"application-harness.yaml":        cloudFormation,
		"application-kubernetes-job.yaml": cloudFormation,
		"application-gitlab-ci.yml": "sam deploy --template-file packaged.yaml --stack-name demo-app --image-repository REPO " +
			"--capabilities CAPABILITY_IAM --no-confirm-changeset --no-fail-on-empty-changeset\n",
	} {
		repository := b.repo("ci/" + strings.TrimPrefix(strings.TrimSuffix(file, filepath.Ext(file)), "application-"))
		job := newCIJob(t, b, nil, "IMAGE_REPOSITORY="+repository, "PATH="+bin+":"+filepath.Dir(samforgeBinary)+":"+os.Getenv("PATH"))
		a.checkout(t, job.dir)
		job.run(t, script{"samforge lock -f template.yaml", plainShell}) // is in the repository
		read := func(name string) string {
			data, err := os.ReadFile(filepath.Join(job.dir, name))
			must(t, err)
			return string(data)
		}
		var said string
		for _, step := range scripts(t, "ci/"+file) {
			said += job.run(t, step)
		}
		job.wantImages(t, said, len(answers))
		if got, want := read("deployed"), strings.ReplaceAll(deploys, "REPO", repository); got != want {
			t.Errorf("%s deploys with %q, want %q", file, got, want)
		}
		packaged := read("packaged.yaml")
		images := regexp.MustCompile(`(?m)^ +ImageUri: (\S+)$`).FindAllStringSubmatch(packaged, -1)
		if len(images) != len(answers) {
			t.Errorf("%s: %d images are in the template, want %d:\n%s", file, len(images), len(answers), packaged)
		}
		for _, image := range images {
			if _, err := b.Registry.ReadImage(t.Context(), image[1], "linux/amd64", testenv.OnlyLayers(1000)); err != nil {
				t.Errorf("%s: %s is in the template, but not in the registry: %v", file, image[1], err)
			}
		}
		job.env = append(job.env, "BUILDKIT_HOST=tcp://127.0.0.1:1") // there is no builder
		for _, step := range scripts(t, "ci/"+file) {
			job.run(t, step)
		}
		if again := read("packaged.yaml"); again != packaged {
			t.Errorf("%s: the next run gives another template:\n%s", file, again)
		}
	}
}
