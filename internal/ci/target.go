package ci

import (
	"context"
	"errors"

	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/internal/registry"
)

// Target is where a step builds and pushes, for `samforge doctor`.
type Target struct {
	// Image is a reference in the repository; "" if there is no repository.
	Image string
	// Builder is the address of the builder; "" if the settings name none.
	Builder string
	// Client asks registries with the credentials of the settings.
	Client *registry.Client
	forget func() error
}

// Target returns where the step builds and pushes. It reads no Dockerfile. Close it at the end.
func (s *Step) Target(ctx context.Context, o Options) (_ *Target, err error) {
	t := &Target{Builder: s.builder}
	if t.forget, err = s.trust(); err != nil {
		return nil, err
	}
	if err := s.find(ctx, t, o); err != nil {
		return nil, errors.Join(err, t.forget())
	}
	return t, nil
}

// Close removes what the step has written for its client.
func (t *Target) Close() error { return t.forget() }

func (s *Step) find(ctx context.Context, t *Target, o Options) error {
	if err := s.check(); err != nil {
		return project.BadInput(err)
	}
	if err := s.findRegistry(ctx); err != nil {
		return err
	}
	repository, err := s.repository()
	if err != nil {
		return project.BadInput(err)
	}
	var refs []string
	if repository != "" {
		t.Image = repository + ":latest"
		refs = []string{t.Image}
	}
	config, err := s.config(nil, refs)
	if err != nil {
		return project.BadInput(err)
	}
	t.Client, err = s.client(ctx, config, o)
	return err
}
