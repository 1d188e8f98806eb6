package plan

import (
	"strings"
	"testing"

	"github.com/samforge/samforge/llbgen"
)

// The table has one line a tag and at most 120 columns, but for a name that is longer itself. A base
// that is pulled too says so in both of its lines. The bytes of a base that images share count once.
func TestTable(t *testing.T) {
	t.Parallel()
	const (
		base     = "public.ecr.aws/sam/build-nodejs22.x:1.144.0-20250911030138-x86_64"
		download = "https://app.harness.io/public/shared/tools/go-template/release/v0.4.15/bin/linux/amd64/go-template"
	)
	layers := []Layer{{Name: "base", Source: "image " + base, Action: ActionMount, Size: 143e6, Blobs: 5}, {Name: "plugin"}, {Name: "go-template"}}
	tags := []string{"registry.example.com/ci/aws-sam-plugin:1.1.2-nodejs22.x-1.144.0-20250911030138-linux-amd64", "registry.example.com/ci/sam:2"}
	p := &Plan{
		Images: []Image{
			{Target: "nodejs22.x", Platform: "linux/amd64", Tags: tags, Layers: layers},
			{Target: "other", Platform: "linux/amd64", Existing: "sha256:" + strings.Repeat("a", 64), Layers: layers},
		},
		Sources: []Source{
			{Kind: llbgen.InputImage, Name: base, Platform: "linux/amd64", Digest: "sha256:" + strings.Repeat("0", 64), Size: 143e6, Action: ActionPull},
			{Kind: llbgen.InputDownload, Name: download, Action: ActionDownload},
		},
		Warnings: []string{"a warning"},
	}
	p.Totals = p.total()
	var table strings.Builder
	if err := p.WriteTable(&table); err != nil {
		t.Fatal(err)
	}
	const want = `TARGET      PLATFORM     TAG EXISTS  BASE              LAYERS
nodejs22.x  linux/amd64  no          pull+mount 143MB  plugin, go-template
    registry.example.com/ci/aws-sam-plugin:1.1.2-nodejs22.x-1.144.0-20250911030138-linux-amd64
    registry.example.com/ci/sam:2
other       linux/amd64  yes         pull+mount 143MB  plugin, go-template

ACTION      SIZE   PLATFORM     DIGEST               SOURCE
pull+mount  143MB  linux/amd64  sha256:000000000000  public.ecr.aws/sam/build-nodejs22.x:1.144.0-20250911030138-x86_64
download    -      -            not pinned
    https://app.harness.io/public/shared/tools/go-template/release/v0.4.15/bin/linux/amd64/go-template

2 images: 1 new, 1 with a tag that exists (--skip-existing leaves them out); pull 143MB, mount 143MB, copy 0B

WARNINGS
a warning
`
	if table.String() != want {
		t.Errorf("the table is\n%s\nand not\n%s", table.String(), want)
	}
}
