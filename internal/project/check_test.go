package project

import (
	"errors"
	"strings"
	"testing"

	"github.com/samforge/samforge/llbgen"
)

// A finding fails a build whose file allows none: once, with its line, and only if it is about a
// target that is built.
func TestFindingsAreRefusedBeforeTheBuild(t *testing.T) {
	t.Parallel()
	const file = `# check=error=true
kind: sam
plugin: {image: 'harness/aws-sam-plugin:1.1.2-beta-base-image', version: 1.1.2-beta}
runtimes:
  - image: public.ecr.aws/sam/build-java17.al2023:1.164.0-20260720000000
  - image: public.ecr.aws/sam/build-python3.7:1.100.0-20240206202436-x86_64
goTemplate: false
`
	violation := func(targets ...string) error {
		p, err := Load(t.Context(), Options{File: "-", Stdin: strings.NewReader(file), Targets: targets})
		if err != nil {
			t.Fatal(err)
		}
		return p.Violation()
	}
	if err := violation("java17.al2023"); err != nil {
		t.Errorf("a target without findings: %v", err)
	}
	err := violation()
	var found *llbgen.LintError
	if !errors.As(err, &found) || len(found.Findings) != 1 {
		t.Fatalf("the error is %v, want one with one finding", err)
	}
	const want = `stdin:6:12: runtimes[1].image: AWS no longer publishes images for python3.7: it stays at its last version
   6 |   - image: public.ecr.aws/sam/build-python3.7:1.100.0-20240206202436-x86_64
                  ^
lint violation found for rules: RuntimeEndOfLife`
	if err.Error() != want {
		t.Errorf("the error is\n%v\nwant\n%s", err, want)
	}
}
