package runtimeapi

import "context"

// WaitRegistered returns when all external extensions have registered: the runtime starts after them. Its
// errors are those of [Server.WaitReady].
func (s *Server) WaitRegistered(ctx context.Context) error {
	return s.waitExtensions(ctx, s.extensions.registered)
}

// WaitReady returns when the runtime asks for an invocation, and all extensions ask for an event. The
// error is an [*Error] if one of them could not start, or the cause of the end of ctx.
func (s *Server) WaitReady(ctx context.Context) error {
	select {
	case <-s.ready:
		return s.waitExtensions(ctx, func() bool { return s.extensions.done("") })
	case <-s.ended:
		return s.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// waitExtensions returns when a condition of the extensions holds.
func (s *Server) waitExtensions(ctx context.Context, condition func() bool) error {
	for {
		if s.Ended() {
			return s.err
		}
		change := s.extensions.holds(condition)
		if change == nil {
			return nil
		}
		select {
		case <-change:
		case <-s.ended:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Ended reports whether the instance can answer no more.
func (s *Server) Ended() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}
