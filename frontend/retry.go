package frontend

import (
	"context"
	"strings"
	"time"

	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/gateway/client"
	digest "github.com/opencontainers/go-digest"
)

// maxPause is the last pause between two attempts to resolve an image. There are four attempts.
const maxPause = 4 * time.Second

// Patient returns a client that resolves an image again if the builder's request to the registry
// broke off. BuildKit itself repeats pulls and pushes.
func Patient(c client.Client) client.Client { return patient{c} }

type patient struct{ client.Client }

// ResolveImageConfig resolves an image, in up to four attempts.
func (p patient) ResolveImageConfig(ctx context.Context, ref string, opt sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	for pause := time.Second; ; pause *= 2 {
		resolved, dgst, config, err := p.Client.ResolveImageConfig(ctx, ref, opt)
		if err == nil || !transient(err) || pause > maxPause {
			return resolved, dgst, config, err
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return resolved, dgst, config, err
		case <-timer.C:
		}
	}
}

// transient reports whether the next attempt may succeed. The builder passes on only the text of
// its errors.
func transient(err error) bool {
	text := err.Error()
	for _, words := range []string{"connection reset", "broken pipe", "EOF", "500 Internal", "502 Bad Gateway", "503 Service", "504 Gateway"} {
		if strings.Contains(text, words) {
			return true
		}
	}
	return false
}
