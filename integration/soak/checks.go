package main

import "context"

// marker is a variable in the environment of all clients, and of what they start.
const marker = "SAMFORGE_SOAK"

// pushed is an image that a run said it pushed.
type pushed struct {
	run         int
	tag, digest string
}

type rested struct{}
type memory struct{}

func (s *soak) checkPushed(ctx context.Context)   {}
func (s *soak) checkLeft(ctx context.Context)     {}
func (s *soak) checkDoubles()                     {}
func (s *soak) checkMemory()                      {}
func (s *soak) measure(ctx context.Context) error { return nil }
