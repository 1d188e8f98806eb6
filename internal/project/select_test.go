package project

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTargetNames(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "images.yaml")
	const file = `kind: serverless
plugin: {image: 'harness/serverless-plugin:1.1.0-beta-base-image', version: 1.1.0-beta}
runtimes:
  - {image: 'public.ecr.aws/sam/build-python3.12:1.143.0-20250822194415', node: 'public.ecr.aws/sam/build-nodejs20.x:1.142.1-20250701194712'}
  - {image: 'public.ecr.aws/sam/build-java21:1.143.0-20250822194412', node: 'public.ecr.aws/sam/build-nodejs20.x:1.142.1-20250701194712'}
`
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	names, err := TargetNames(t.Context(), Options{File: path, Targets: []string{"not there"}})
	const want = "python3.12-base python3.12-serverless java21-base java21-serverless python3.12 base serverless java21"
	if got := strings.Join(names, " "); err != nil || got != want {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
	var input *InputError
	if _, err := TargetNames(t.Context(), Options{File: path, BuildArgs: map[string]string{"VERSION": "a b"}}); !errors.As(err, &input) {
		t.Errorf("a mistake is %v", err)
	}
}
