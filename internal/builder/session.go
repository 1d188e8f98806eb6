package builder

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/session"
	sessioncontent "github.com/moby/buildkit/session/content"
	"github.com/moby/buildkit/session/filesync"
	"github.com/tonistiigi/fsutil"
	fstypes "github.com/tonistiigi/fsutil/types"
)

// SessionOptions are what buildkitd may request from the client while it solves. Every job has the
// same.
type SessionOptions struct {
	Attachables []session.Attachable     // credentials, secrets, ssh agents
	LocalMounts map[string]fsutil.FS     // local sources by name, sent with owner 0:0
	OCIStores   map[string]content.Store // OCI layouts by name, without the "oci:" prefix
	SharedKey   string                   // lets a later session send only the changes in the local sources
	Silence     SilenceOptions           // how long a solve may report nothing
	// Contexts are main build contexts by name, which all have the same name in a build: each is in
	// a session of its own, which jobs find with [SessionOf].
	Contexts map[string]fsutil.FS
	AtOnce   bool // all jobs run at the same time, because they wait for each other
	// Tries is how often a job is solved at most if its connections to registries break off; 0
	// means 3.
	Tries int
}

// SessionError says that a builder answered, but did not accept a session.
type SessionError struct {
	Builder string
	Err     error
}

func (e *SessionError) Error() string {
	return fmt.Sprintf("open a session with %s: %v", e.Builder, e.Err)
}

// Unwrap returns the cause.
func (e *SessionError) Unwrap() error { return e.Err }

// closeTimeout limits the orderly end of a session; then the connection is cut.
const closeTimeout = 5 * time.Second

// SessionOf returns the value of a job's attribute that gets the ID of the session with a context
// of [SessionOptions.Contexts].
func SessionOf(context string) string { return sessionOf + context }

const sessionOf = "session-of:"

// WithSessions returns attributes with the IDs of sessions in place of the values that [SessionOf]
// returned. ctx is that of [Job.Build].
func WithSessions(ctx context.Context, attrs map[string]string) map[string]string {
	attrs = maps.Clone(attrs)
	if shared, ok := ctx.Value(sessionKey{}).(*sharedSession); ok {
		shared.fill(attrs)
	}
	return attrs
}

type sessionKey struct{}

// sharedSession is one session for many solves.
type sharedSession struct {
	*session.Session
	cut   context.CancelFunc
	ended chan struct{} // closed when the connection has ended

	contexts map[string]*sharedSession // those of SessionOptions.Contexts
}

// fill is [WithSessions] for attributes that it may change.
func (s *sharedSession) fill(attrs map[string]string) {
	for name, value := range attrs {
		if of, ok := strings.CutPrefix(value, sessionOf); ok && s.contexts[of] != nil {
			attrs[name] = s.contexts[of].ID()
		}
	}
}

// broken reports whether the connection ended before close.
func (s *sharedSession) broken() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

// close ends the session in order, after the last solve.
func (s *sharedSession) close() {
	for _, of := range s.contexts {
		of.close()
	}
	late := time.AfterFunc(closeTimeout, s.cut)
	s.Close()
	late.Stop()
	s.cut()
	<-s.ended
}

// openSession opens a session, which the caller closes. If it does not open, failed gets the
// reason.
func (b *Builder) openSession(ctx context.Context, so SessionOptions, failed func(error)) (*sharedSession, error) {
	s, err := session.NewSession(ctx, so.SharedKey)
	if err != nil {
		return nil, fmt.Errorf("create a BuildKit session: %w", err)
	}
	for _, a := range so.Attachables {
		s.Allow(a)
	}
	if len(so.LocalMounts) > 0 {
		dirs, err := ownedByRoot(so.LocalMounts)
		if err != nil {
			return nil, err
		}
		s.Allow(filesync.NewFSSyncProvider(dirs))
	}
	if len(so.OCIStores) > 0 {
		stores := make(map[string]content.Store, len(so.OCIStores))
		for name, store := range so.OCIStores {
			stores["oci:"+name] = store
		}
		s.Allow(sessioncontent.NewAttachable(stores))
	}
	// ctx does not end it: a cancelled solve still uses its session while it winds down.
	run, cut := context.WithCancel(context.WithoutCancel(ctx))
	shared := &sharedSession{Session: s, cut: cut, ended: make(chan struct{}), contexts: map[string]*sharedSession{}}
	go func() {
		defer close(shared.ended)
		if err := s.Run(run, b.dialSession); err != nil {
			failed(&SessionError{Builder: b.String(), Err: reason(err)})
		}
	}()
	for name, files := range so.Contexts {
		of := SessionOptions{SharedKey: so.SharedKey, LocalMounts: map[string]fsutil.FS{dockerui.DefaultLocalNameContext: files}}
		if shared.contexts[name], err = b.openSession(ctx, of, failed); err != nil {
			delete(shared.contexts, name)
			shared.close()
			return nil, err
		}
	}
	return shared, nil
}

// ownedByRoot returns the mounts with every file owned by 0:0, as client.Solve sends them: the same
// files must give the same cache key, whoever checked them out.
func ownedByRoot(mounts map[string]fsutil.FS) (filesync.StaticDirSource, error) {
	dirs := make(filesync.StaticDirSource, len(mounts))
	for name, mount := range mounts {
		fs, err := fsutil.NewFilterFS(mount, &fsutil.FilterOpt{Map: func(_ string, st *fstypes.Stat) fsutil.MapResult {
			st.Uid, st.Gid = 0, 0
			return fsutil.MapResultKeep
		}})
		if err != nil {
			return nil, fmt.Errorf("prepare the local source %q: %w", name, err)
		}
		dirs[name] = fs
	}
	return dirs, nil
}
