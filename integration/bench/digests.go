package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/samforge/samforge/integration/testenv"
)

// digests is the section on law 4: the same inputs give the same image, whoever runs the buildkitd
// and however often.
func (b *bench) digests(ctx context.Context) error {
	const base = "public.ecr.aws/sam/build-python3.11:1.144.0-20250911030138-x86_64"
	if err := b.publish(ctx, base, "python3.11", "1.144.0", smallBase); err != nil {
		return err
	}
	found := map[string]bool{}
	var rows [][]string
	for i, row := range []struct {
		name     string
		rootless bool
	}{{"rootful buildkitd", false}, {"another rootful buildkitd", false}, {"rootless buildkitd", true}} {
		err := b.onFreshBuildkitd(ctx, testenv.BuildkitdOptions{Rootless: row.rootless}, func(d *testenv.Buildkitd) error {
			built, err := b.build(ctx, d.Addr, b.repo("digests-%d", i), oneImageArgs(base)...)
			if err != nil {
				return err
			}
			_, digest, ok := strings.Cut(strings.TrimSpace(built.stdout), "@")
			if !ok {
				return fmt.Errorf("samforge printed %q instead of TAG@DIGEST", built.stdout)
			}
			found[digest] = true
			rows = append(rows, []string{digest, seconds(built.wall), row.name})
			return nil
		})
		if err != nil {
			return err
		}
		b.say("digests: %s", strings.Join(rows[i], "  "))
	}
	printTable("Digests", "The same inputs on empty buildkitds, built once each.", []string{"DIGEST", "WALL", ""}, rows)
	b.claim(len(found) == 1, "the digests are equal", fmt.Sprintf("%d builds, %d digest(s)", len(rows), len(found)))
	return nil
}
