package build

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/moby/buildkit/exporter/containerimage/exptypes"
	"github.com/moby/sys/atomicwriter"
)

// checkFiles refuses a --metadata-file or --iidfile that cannot be written, before anything is
// built.
func checkFiles(opt Options) error {
	for flag, path := range map[string]string{"--metadata-file": opt.MetadataFile, "--iidfile": opt.IIDFile} {
		if path == "" {
			continue
		}
		file, err := atomicwriter.New(path, 0o644)
		if err == nil {
			err = file.Close() // nothing was written, so nothing can be lost
		}
		if err != nil {
			return fmt.Errorf("%s %s: %w", flag, path, err)
		}
	}
	return nil
}

// writeFiles writes --metadata-file and --iidfile. For one target the metadata has the form of
// `docker buildx build`, for several that of `docker buildx bake`.
func (r *report) writeFiles() error {
	var errs []error
	if r.opt.MetadataFile != "" {
		content := map[string]any{}
		for _, image := range r.built {
			content[image.Target.Name] = image.Metadata
		}
		if !r.several && len(r.built) == 1 {
			content = r.built[0].Metadata
		}
		data, err := json.MarshalIndent(content, "", "  ")
		errs = append(errs, err, writeFile("--metadata-file", r.opt.MetadataFile, data))
	}
	if r.opt.IIDFile != "" && len(r.built) == 1 {
		errs = append(errs, writeFile("--iidfile", r.opt.IIDFile, []byte(r.built[0].id())))
	}
	return errors.Join(errs...)
}

// id returns the image ID: the digest of the config if the exporter reports it, else the digest of
// the image.
func (b Built) id() string {
	for _, key := range []string{exptypes.ExporterImageConfigDigestKey, exptypes.ExporterImageDigestKey} {
		if id, ok := b.Metadata[key].(string); ok && id != "" {
			return id
		}
	}
	return ""
}

// writeFile writes a file that a flag names, whole or not at all.
func writeFile(flag, path string, data []byte) error {
	if err := atomicwriter.WriteFile(path, data, 0o644); err != nil {
		return fmt.Errorf("%s %s: %w", flag, path, err)
	}
	return nil
}
