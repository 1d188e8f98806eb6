package plan

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// pair returns a plan of two images for each runtime. The second image has one more layer.
func pair(runtimes ...string) *Plan {
	p := &Plan{}
	for _, runtime := range runtimes {
		node := "node image public.ecr.aws/lambda/nodejs:22.2025.08.29.13"
		if runtime == "java17" || runtime == "python3.11" {
			node = "node image public.ecr.aws/lambda/nodejs:18.2025.08.29.13"
		}
		layers := []Layer{{Name: "base", Source: "image public.ecr.aws/sam/build-" + runtime + ":1.143.0-20250822194415", Action: ActionMount, Size: 700e6}}
		if !strings.HasPrefix(runtime, "nodejs") {
			layers = append(layers, Layer{Name: "node", Source: node})
		}
		layers = append(layers,
			Layer{Name: "plugin", Source: "plugin image docker.io/harness/serverless-plugin:1.1.0-beta-base-image"},
			Layer{Name: "go-template", Source: "download https://app.harness.io/public/shared/tools/go-template/release/v0.4.15/bin/linux/amd64/go-template"},
			Layer{Name: "docker", Source: "image docker.io/library/docker:28.5.2-cli"})
		p.Images = append(p.Images, Image{Target: runtime + "-base", Platform: "linux/amd64", Layers: layers})
		with := append(append([]Layer{}, layers...), Layer{Name: "serverless", Source: "npm package serverless@3.40.0"})
		p.Images = append(p.Images, Image{Target: runtime + "-serverless", Platform: "linux/amd64", Layers: with})
	}
	return p
}

// A layer is one shape, no matter how many images share it, and every label is complete.
func TestSVG(t *testing.T) {
	t.Parallel()
	picture := pair("python3.12", "java21", "nodejs22.x", "java17", "python3.11").picture()
	svg := picture.svg()
	if shapes := strings.Count(svg, "<path "); shapes != len(picture.Layers) || shapes != 11 {
		t.Errorf("there are %d shapes for %d layers, want 11", shapes, len(picture.Layers))
	}
	for _, label := range []string{">v0.4.15<", ">28.5.2-cli<", ">1.143.0-20250822194415<", ">1.1.0-beta-base-image<", ">3.40.0<", ">python3.11-serverless<"} {
		if !strings.Contains(svg, label) {
			t.Errorf("there is no label %s", label)
		}
	}
	if strings.Contains(svg, "…") {
		t.Error("a label is cut")
	}
	var widthOf int
	if _, err := fmt.Sscanf(svg, `<svg xmlns="http://www.w3.org/2000/svg" width="%d"`, &widthOf); err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`<text x="(\d+)"[^>]*>([^<]*)<`).FindAllStringSubmatch(svg, -1) {
		var x int
		fmt.Sscan(m[1], &x)
		if end := x + len(m[2])*svgCharacter; end > widthOf {
			t.Errorf("the label %q ends at %d, outside of the picture", m[2], end)
		}
	}
}
