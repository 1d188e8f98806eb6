package integration

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// deployment stands in for aws and sam, which deploy the packaged template: it keeps what it is
// called with.
const deployment = `#!/bin/sh
echo "$(basename "$0") $*" >>deployed
`

// Each template's own commands package the application and hand the template to what deploys it,
// with the images of all functions in it. The next run, on another machine, finds them and builds
// nothing.
func TestCITemplatesOfApplications(t *testing.T) {
	t.Parallel()
	b, npm := sharedBed(t)
	a := newExampleApplication(t, b, npm)
	const cloudFormation = "aws cloudformation deploy --template-file packaged.yaml --stack-name demo-app --capabilities CAPABILITY_IAM --no-fail-on-empty-changeset\n"
	const sam = "sam deploy --template-file packaged.yaml --stack-name demo-app --image-repository REPO --capabilities CAPABILITY_IAM " +
		"--no-confirm-changeset --no-fail-on-empty-changeset\n"
	for template, deploys := range map[string]string{
		"application-github-actions.yml":  cloudFormation,
		"application-gitlab-ci.yml":       sam,
		"application-harness.yaml":        cloudFormation,
		"application-kubernetes-job.yaml": cloudFormation,
	} {
		t.Run(template, func(t *testing.T) { a.runTemplate(t, template, deploys) })
	}
}

// runTemplate runs the commands of a CI template, twice.
func (a *exampleApplication) runTemplate(t *testing.T, template, deploys string) {
	repository := a.repo("ci/" + strings.TrimSuffix(template, filepath.Ext(template)))
	bin := t.TempDir()
	for _, name := range []string{"aws", "sam"} {
		must(t, os.WriteFile(filepath.Join(bin, name), []byte(deployment), 0o755))
	}
	start := func(variables ...string) *ciJob {
		path := "PATH=" + bin + ":" + filepath.Dir(samforgeBinary) + ":" + os.Getenv("PATH")
		return newCIJob(t, a.bed, nil, append(variables, "IMAGE_REPOSITORY="+repository, path)...)
	}
	read := func(job *ciJob, name string) string {
		data, err := os.ReadFile(filepath.Join(job.dir, name))
		must(t, err)
		return string(data)
	}
	first := start()
	a.checkout(t, first.dir)
	first.run(t, script{"samforge lock -f template.yaml", plainShell}) // is in the repository
	var said string
	for _, step := range scripts(t, "ci/"+template) {
		said += first.run(t, step)
	}
	first.wantImages(t, said, len(answers))
	if got, want := read(first, "deployed"), strings.ReplaceAll(deploys, "REPO", repository); got != want {
		t.Errorf("the template deploys with %q, want %q", got, want)
	}
	packaged := read(first, "packaged.yaml")
	images := regexp.MustCompile(`(?m)^ +ImageUri: (\S+)$`).FindAllStringSubmatch(packaged, -1)
	if len(images) != len(answers) {
		t.Errorf("%d images are in the packaged template, want %d:\n%s", len(images), len(answers), packaged)
	}
	for _, image := range images {
		a.digestOfTag(image[1]) // fails unless the registry has it
	}

	// Another machine has another copy of the application, and no builder.
	second := start("BUILDKIT_HOST=tcp://127.0.0.1:1")
	must(t, os.CopyFS(second.dir, os.DirFS(first.dir)))
	must(t, os.Remove(filepath.Join(second.dir, "packaged.yaml")))
	for _, step := range scripts(t, "ci/"+template) {
		second.run(t, step)
	}
	if again := read(second, "packaged.yaml"); again != packaged {
		t.Errorf("another machine packages another template:\n%s", again)
	}
}
