package main

import (
	"context"
	"fmt"

	"github.com/samforge/samforge/integration/testenv"
)

// matrixRuntimes are the runtimes of the section matrix.
func matrixRuntimes() []string {
	return []string{"nodejs24.x", "nodejs22.x", "python3.13", "python3.12", "java25", "java21", "ruby3.4", "provided.al2023"}
}

// matrix is the section on many images in one command, compared with one image of the same build
// file.
func (b *bench) matrix(ctx context.Context) error {
	b.say("making %d base images of %d MB", len(matrixRuntimes()), smallBase>>20)
	var bases []string
	for _, runtime := range matrixRuntimes() {
		base := "public.ecr.aws/sam/build-" + runtime + ":1.146.0-20251101000000-x86_64"
		if err := b.publish(ctx, base, runtime, "1.146.0", smallBase); err != nil {
			return err
		}
		bases = append(bases, base)
	}
	file, err := b.buildFile("matrix.yaml", bases)
	if err != nil {
		return err
	}
	var one, all samples
	layers := 0
	cold := func(into *samples, repo string, args ...string) error {
		return b.onFreshBuildkitd(ctx, testenv.BuildkitdOptions{}, func(d *testenv.Buildkitd) error {
			b.registry.Reset()
			built, err := b.build(ctx, d.Addr, repo, append(args, "-f", file)...)
			*into = append(*into, built.wall)
			for _, base := range bases {
				if err == nil {
					var n int
					n, _, err = b.registry.PulledFrom(ctx, base)
					layers += n
				}
			}
			return err
		})
	}
	for i := range b.runs {
		if err := cold(&one, b.repo("matrix-one-%d", i), "--target", "nodejs24.x"); err != nil {
			return err
		}
		if err := cold(&all, b.repo("matrix-all-%d", i)); err != nil {
			return err
		}
		b.say("matrix %d/%d: one image %s, %d images %s", i+1, b.runs, seconds(one[i]), len(bases), seconds(all[i]))
	}
	row := func(name string, s samples) []string {
		return []string{ratio(s.median(), one.median()), seconds(s.median()), s.String(), name}
	}
	printTable("Matrix", fmt.Sprintf("One build file of %d runtimes with base images of %d MB each, cold, pushed.", len(bases), smallBase>>20),
		[]string{"X ONE", "WALL", "MIN-MAX", ""}, [][]string{
			row("one image (--target)", one),
			row(fmt.Sprintf("%d images, one command", len(bases)), all),
		})
	b.figure("matrix of SAM images", "samforge, one image, cold", one.median(), true)
	b.figure("matrix of SAM images", fmt.Sprintf("samforge, %d images, cold", len(bases)), all.median(), false)
	times := quotient(all.median(), one.median())
	b.claim(times <= 2, fmt.Sprintf("%d images take at most 2x one image", len(bases)), fmt.Sprintf("%.1fx", times))
	b.claim(layers == 0, "they pull 0 base layers", fmt.Sprint(layers))
	return nil
}
