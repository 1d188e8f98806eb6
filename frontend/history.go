package frontend

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/moby/buildkit/exporter/containerimage/exptypes"
	"github.com/moby/buildkit/frontend/gateway/client"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// completeHistory gives the layers of a base image that have no history one: Lambda's base images
// have none at all. Otherwise the exporter would make up entries, other ones for a layer that was
// built than for one from a cache, and the image would have another digest each time.
func completeHistory(res *client.Result, epoch time.Time) error {
	for key, data := range res.Metadata {
		platform, ok := strings.CutPrefix(key, exptypes.ExporterImageConfigKey)
		base := res.Metadata[exptypes.ExporterImageBaseConfigKey+platform]
		if !ok || len(base) == 0 {
			continue
		}
		completed, err := withHistoryOf(base, data, epoch)
		if err != nil {
			return fmt.Errorf("the image's configuration: %w", err)
		}
		res.Metadata[key] = completed
	}
	return nil
}

// withHistoryOf returns a configuration with an entry for each layer of its base that has none.
func withHistoryOf(base, config []byte, epoch time.Time) ([]byte, error) {
	var below ocispecs.Image
	if err := json.Unmarshal(base, &below); err != nil {
		return nil, err
	}
	missing := len(below.RootFS.DiffIDs)
	for _, entry := range below.History {
		if !entry.EmptyLayer {
			missing--
		}
	}
	if missing <= 0 {
		return config, nil
	}
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(config, &fields); err != nil {
		return nil, err
	}
	if fields == nil {
		return nil, errors.New("it is null")
	}
	var history []ocispecs.History
	if len(fields["history"]) > 0 {
		if err := json.Unmarshal(fields["history"], &history); err != nil {
			return nil, err
		}
	}
	entry := ocispecs.History{Created: &epoch, CreatedBy: "base image"}
	history = slices.Insert(history, min(len(below.History), len(history)), slices.Repeat([]ocispecs.History{entry}, missing)...)
	var err error
	if fields["history"], err = json.Marshal(history); err != nil {
		return nil, err
	}
	return json.Marshal(fields)
}
