package lambda

import (
	"cmp"
	"encoding/json"
	"fmt"
)

// Image is an image as it is stored in a registry.
type Image struct {
	// MediaType is the media type of Manifest; if it is empty, the one that Manifest names counts.
	MediaType string
	// Manifest is a manifest or an index, byte for byte.
	Manifest []byte
	// Config is the image config, byte for byte. It is not read if Manifest is not a manifest that
	// Lambda takes.
	Config []byte
	// Size is the sum of the uncompressed sizes of the layers in bytes; 0 if it is not known. Then that
	// of the compressed layers counts, which the manifest has.
	Size int64
}

// Function is what the function sets that the image is for. The zero value is a function of which
// nothing is known.
type Function struct {
	// Architecture is x86_64 or arm64; empty if it is not known.
	Architecture string
	// EntryPoint, Command and WorkingDirectory are those of ImageConfig. They replace the settings
	// of the image.
	EntryPoint, Command []string
	WorkingDirectory    string
	// Unresolved is true if EntryPoint or Command is not known before the function is deployed. The
	// program that starts is not judged then.
	Unresolved bool
	// EnvironmentSize is the sum of the lengths in bytes of the names and the values of the
	// function's environment variables.
	EnvironmentSize int
}

// Check returns what Lambda would refuse or fail on, in the order of [Rules]; nothing if the image
// is fine. Of an index it says only that it is one: [CheckWith] also judges the image in it.
//
// The number of layers is not judged, because AWS names no limit for it.
func Check(image Image, f Function) []Finding {
	var found findings
	if m := found.checkManifest(image, f); m != nil {
		found.checkLayers(m.Layers)
		found.checkConfig(image.Config, f, cmp.Or(image.Size, m.atLeast()))
	}
	found.checkEnvironment(f)
	return found
}

// CheckConfig returns what Lambda would refuse about an image of which there is only the config yet.
func CheckConfig(config []byte, f Function) []Finding {
	var found findings
	found.checkConfig(config, f, 0)
	found.checkEnvironment(f)
	return found
}

// checkConfig judges the config. size is that of the uncompressed image; 0 if it is not known.
func (found *findings) checkConfig(data []byte, f Function, size int64) {
	var config config
	if err := json.Unmarshal(data, &config); err != nil {
		found.add(RuleManifest, Error, "the image config is not valid JSON (%v): build and push the image again", err)
		return
	}
	found.checkPlatform(config, f)
	found.checkSize(size)
	found.checkEntryPoint(config.Config, f)
	found.checkSettings(config.Config, f)
}

// CheckWith checks the image that a reference points at. read returns the manifest or index with a
// digest from the reference's repository, and for "" the one that the reference points at. If that
// is an index with one image for the function, CheckWith also returns the findings about this
// image. The error is that of read.
func CheckWith(f Function, read func(digest string) (Image, error)) ([]Finding, error) {
	image, err := read("")
	if err != nil {
		return nil, err
	}
	found := Check(image, f)
	index, _ := parse(image) // an error is among the findings
	digest := index.member(f)
	if digest == "" {
		return found, nil
	}
	if image, err = read(digest); err != nil {
		return nil, err
	}
	f.EnvironmentSize = 0 // it is judged already
	return append(found, Check(image, f)...), nil
}

type findings []Finding

func (found *findings) add(rule Rule, level Level, format string, args ...any) {
	*found = append(*found, Finding{rule, level, fmt.Sprintf(format, args...)})
}
