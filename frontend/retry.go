package frontend

import (
	"context"
	"errors"
	"regexp"
	"time"

	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/gateway/client"
	gatewaypb "github.com/moby/buildkit/frontend/gateway/pb"
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
		if err == nil || !BrokeOff(err) || pause > maxPause {
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

// The errors that BuildKit tries a request again for (util/resolver/retryhandler), in the words
// that are left of them when the builder passes them on: a connection that broke off, and a status
// of the server. An upload that the registry does not know is one whose end was done, and the
// answer to it lost. BuildKit repeats a request that was one too many at once only. The limit of
// pulls of Docker Hub is one for hours.
var (
	broken  = regexp.MustCompile(`\bEOF\b|connection reset by peer|broken pipe|use of closed network connection|TLS handshake timeout|http2: |stream error: |blob upload unknown|\bstatus (?:from \S+ request to \S+: )?(?:429|50[0234])\b|toomanyrequests`)
	forLong = regexp.MustCompile(`pull rate limit`)
	request = regexp.MustCompile(`https?://|httpReadSeeker|invalid response status|failed to (?:copy|do request|fetch|push|read)\b`)
)

// BrokeOff reports whether err says that a request of the builder broke off, and may succeed at the
// next try. A step that failed is none, whatever it printed.
func BrokeOff(err error) bool {
	var exit *gatewaypb.ExitError
	if err == nil || errors.As(err, &exit) {
		return false
	}
	text := err.Error()
	return broken.MatchString(text) && request.MatchString(text) && !forLong.MatchString(text)
}
