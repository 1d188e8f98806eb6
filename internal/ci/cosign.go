package ci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/samforge/samforge/internal/build"
	"github.com/samforge/samforge/internal/registry"
	"github.com/samforge/samforge/internal/signing"
	"github.com/samforge/samforge/internal/userfile"
)

// signingSettings are the settings of signatures.
func signingSettings() []Setting {
	return []Setting{
		text("PLUGIN_COSIGN_PRIVATE_KEY", "", "Sign the image by its digest after the push (not one that was there before), with this private key: the text that cosign generate-key-pair makes, or its path. Nothing is written to a transparency log", func(s *Step) *string { return &s.cosign.key }),
		text("PLUGIN_COSIGN_PASSWORD", "", "Password of the private key", func(s *Step) *string { return &s.cosign.password }),
		text("PLUGIN_COSIGN_PARAMS", "", "Flags of cosign sign, separated by spaces: `-a KEY=VALUE` adds an annotation, `--recursive` signs the members of an index too, and `--sign-container-identity` is what the signature calls the image. `--tlog-upload=false` and `--yes` change nothing", func(s *Step) *string { return &s.cosign.params }),
	}
}

// cosign are the settings of signatures.
type cosign struct{ key, password, params string }

// signer signs the images of a step. nil signs nothing.
type signer struct {
	key         *signing.Key
	annotations map[string]string
	identity    string
	recursive   bool
}

// signer returns what signs the image, or nil. Every mistake is found here, before anything is built.
func (s *Step) signer() (*signer, error) {
	c := s.cosign
	switch {
	case c == cosign{}:
		return nil, nil
	case c.key == "" && c.password != "":
		return nil, errors.New("PLUGIN_COSIGN_PASSWORD is given without PLUGIN_COSIGN_PRIVATE_KEY: give the key too")
	case c.key == "":
		return nil, errors.New("PLUGIN_COSIGN_PARAMS is given without PLUGIN_COSIGN_PRIVATE_KEY: images are signed with a key, and not without one (keyless)")
	}
	of := &signer{}
	if err := of.flags(c.params); err != nil {
		return nil, fmt.Errorf("PLUGIN_COSIGN_PARAMS: %w", err)
	}
	text := []byte(c.key)
	if !strings.HasPrefix(strings.TrimSpace(c.key), "-----BEGIN") {
		var err error
		if text, err = readKey(c.key); err != nil {
			return nil, err
		}
	}
	var err error
	of.key, err = signing.ParseKey(text, []byte(c.password))
	switch {
	case errors.Is(err, signing.ErrPassword) && c.password == "":
		return nil, errors.New("PLUGIN_COSIGN_PRIVATE_KEY is encrypted: set PLUGIN_COSIGN_PASSWORD")
	case errors.Is(err, signing.ErrPassword):
		return nil, errors.New("PLUGIN_COSIGN_PASSWORD is not the password of PLUGIN_COSIGN_PRIVATE_KEY")
	case err != nil:
		return nil, fmt.Errorf("PLUGIN_COSIGN_PRIVATE_KEY: %w", err)
	}
	return of, nil
}

// readKey reads the file of a key. A text that is neither a path nor a key may be a key that was cut
// apart, so errors do not show it.
func readKey(path string) ([]byte, error) {
	if scheme, _, ok := strings.Cut(path, "://"); ok && !strings.ContainsAny(scheme, " \n/") {
		return nil, fmt.Errorf("PLUGIN_COSIGN_PRIVATE_KEY: keys of %s:// are not supported: give the text of a key, or its path", scheme)
	}
	text, err := userfile.Read(path, 1<<20)
	if err != nil {
		return nil, errors.New("PLUGIN_COSIGN_PRIVATE_KEY is neither the text of a key, which begins with -----BEGIN, nor the path of a file that can be read")
	}
	return text, nil
}

// flags reads flags of cosign sign.
func (of *signer) flags(params string) error {
	const known = "this step signs with a key and writes to no transparency log: it takes -a, --recursive, --sign-container-identity, --tlog-upload=false and --yes"
	flags := pflag.NewFlagSet("cosign sign", pflag.ContinueOnError)
	flags.SetOutput(io.Discard)
	annotations := flags.StringSliceP("annotations", "a", nil, "")
	flags.BoolVarP(&of.recursive, "recursive", "r", false, "")
	flags.StringVar(&of.identity, "sign-container-identity", "", "")
	tlog := flags.Bool("tlog-upload", false, "")
	flags.BoolP("yes", "y", true, "")
	if err := flags.Parse(strings.Fields(params)); err != nil {
		return fmt.Errorf("%w; %s", err, known)
	}
	if rest := flags.Args(); len(rest) > 0 {
		return fmt.Errorf("%q is no flag; %s", rest[0], known)
	}
	if *tlog {
		return errors.New("--tlog-upload=true: " + known)
	}
	of.annotations = map[string]string{}
	for _, annotation := range *annotations {
		key, value, ok := strings.Cut(annotation, "=")
		if !ok || key == "" {
			return fmt.Errorf("the annotation %q is not of the form KEY=VALUE", annotation)
		}
		of.annotations[key] = value
	}
	return nil
}

// sign signs the images that were pushed.
func (of *signer) sign(ctx context.Context, client *registry.Client, pushed []build.Ref, o Options) error {
	if of == nil {
		return nil
	}
	if len(pushed) == 0 {
		o.say("nothing is signed, because nothing was pushed")
	}
	var images []string
	for _, ref := range pushed {
		image := registry.Repository(ref.Name) + "@" + ref.Digest
		if slices.Contains(images, image) {
			continue
		}
		images = append(images, image)
		if !of.recursive {
			continue
		}
		members, err := client.Members(ctx, image)
		if err != nil {
			return unsigned(image, err)
		}
		images = append(images, members...)
	}
	for _, image := range images {
		signature, err := signing.Sign(ctx, client, of.key, signing.Image{Ref: image, Identity: of.identity, Annotations: of.annotations})
		if err != nil {
			return unsigned(image, err)
		}
		o.say("%s is signed by %s, with no entry in a transparency log: verify it with cosign verify --key KEY --insecure-ignore-tlog", image, signature)
	}
	return nil
}

// left says what does not happen to an image that exists. It may be somebody else's.
func (of *signer) left() string {
	if of == nil {
		return "not pushed"
	}
	return "neither pushed nor signed"
}

func unsigned(image string, err error) error {
	return fmt.Errorf("%s was pushed, and is not signed: %w", image, err)
}
