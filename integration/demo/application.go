package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/samforge/samforge/integration/testenv"
)

const applicationFolder = "examples/application"

// application packages a SAM application twice. The second time nothing has changed, and there is
// no builder.
func (d *demo) application(ctx context.Context) error {
	heading("The functions of a SAM application: planned, packaged, and packaged again without a builder")
	work, err := os.MkdirTemp("", "samforge-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	images, downloads, err := d.functionSources(ctx, work)
	if err != nil {
		return err
	}
	file, repository := filepath.Join(applicationFolder, "template.yaml"), d.registry.Addr+"/ci/demo-app"
	if _, err := samforge(ctx, []string{"plan", "-f", file, "--repo", repository}, images); err != nil {
		return err
	}
	packaged := filepath.Join(work, "packaged.yaml")
	pack := []string{"package", "--template-file", file, "--image-repository", repository, "--output-template-file", packaged}
	hidden := append(append(images, downloads...), "--progress", "quiet", "--builder")
	var results [2]string
	for i, builder := range []string{d.buildkitd.Addr, "unix:///nowhere.sock"} {
		d.registry.Reset()
		begin := time.Now()
		if _, err := samforge(ctx, pack, append(hidden, builder)); err != nil {
			return err
		}
		template, err := os.ReadFile(packaged)
		if err != nil {
			return err
		}
		results[i] = string(template)
		fmt.Printf("%d manifests pushed, in %.2f s\n\n", d.registry.Stats().ManifestPuts, time.Since(begin).Seconds())
	}
	if results[0] != results[1] {
		return fmt.Errorf("packaged again, the template is another one:\n%s", results[1])
	}
	fmt.Println("The packaged template has:")
	return showImages(results[0])
}

// functionSources returns the flags with which the base images of the functions, and what npm and
// go download for them, are those of the demonstration.
func (d *demo) functionSources(ctx context.Context, work string) (images, downloads []string, err error) {
	if d.real {
		return nil, nil, nil
	}
	bases, err := testenv.FunctionBases(ctx)
	if err != nil {
		return nil, nil, err
	}
	if err := d.registry.PublishAll(bases); err != nil {
		return nil, nil, err
	}
	for ref := range bases {
		own, err := d.registry.Ref(ref)
		if err != nil {
			return nil, nil, err
		}
		images = append(images, "--build-context", strings.TrimPrefix(ref, "docker.io/library/")+"=docker-image://"+own)
	}
	if d.modules, err = testenv.StartGoProxy(ctx, filepath.Join(applicationFolder, "archive")); err != nil {
		return nil, nil, err
	}
	for id, text := range map[string]string{"npmrc": "registry=" + d.npm.URL() + "/\n", "goproxy": d.modules.URL()} {
		file := filepath.Join(work, id)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return nil, nil, err
		}
		downloads = append(downloads, "--secret", "id="+id+",src="+file)
	}
	return images, downloads, nil
}

// showImages prints the lines with the images of a packaged template.
func showImages(packaged string) error {
	images := 0
	for line := range strings.Lines(packaged) {
		if strings.HasPrefix(strings.TrimSpace(line), "ImageUri: ") {
			fmt.Print(line)
			images++
		}
	}
	if images == 0 {
		return fmt.Errorf("there is no image in the packaged template:\n%s", packaged)
	}
	return nil
}
