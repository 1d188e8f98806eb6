package frontend

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/frontend/gateway/client"

	"github.com/samforge/samforge/internal/credentials"
	"github.com/samforge/samforge/internal/userfile"
	"github.com/samforge/samforge/llbgen"
)

// MaxContextFile is the maximum size of a file of the build context. Such a file becomes part of
// the graph, which must fit into a message of the gateway, at most 16 MiB.
const MaxContextFile = 8 << 20

// checkContexts refuses contexts whose addresses contain credentials: the addresses are also in the
// provenance, the builder's history and the log.
func checkContexts(opts map[string]string) error {
	for _, key := range slices.Sorted(maps.Keys(opts)) {
		if (key == "context" || strings.HasPrefix(key, "context:")) && credentials.In(opts[key]) {
			return ErrCredentials(opts[key])
		}
	}
	return nil
}

// ErrCredentials returns the error for a context whose address contains credentials. It says how to
// pass them instead.
func ErrCredentials(address string) error {
	remedy := "for a git repository pass the token with --secret id=GIT_AUTH_TOKEN,env=NAME; for an archive the Authorization header with --secret id=HTTP_AUTH_HEADER_HOST,env=NAME"
	if u, err := url.Parse(address); err == nil {
		remedy = strings.ReplaceAll(remedy, "HOST", u.Hostname())
	}
	return fmt.Errorf("the context %s has a user or a password in its address, which would be recorded with the image: leave it out; %s", credentials.Mask(address), remedy)
}

// gitLogin matches what git prints when a repository wants a login, or another one.
var gitLogin = regexp.MustCompile(`could not read (Username|Password)|Authentication failed|terminal prompts disabled`)

// explainGit adds to a builder's error what to do when git could not log in.
func explainGit(err error) error {
	if sentence := GitLogin(err); sentence != "" {
		return fmt.Errorf("%s: %w", sentence, err)
	}
	return err
}

// GitLogin returns what to do if git could not log in; "" for any other error of a builder.
func GitLogin(err error) string {
	if strings.Contains(err.Error(), `no SSH key "default" forwarded from the client`) {
		return "the git repository is used with SSH, which needs a key: pass an agent with --ssh default (in a step the key with PLUGIN_SSH_AGENT_KEY)"
	}
	if !gitLogin.MatchString(err.Error()) {
		return ""
	}
	return "the git repository requires a login: pass a token that may read it with --secret id=GIT_AUTH_TOKEN,env=NAME (in a step PLUGIN_SECRETS_FROM_ENV=GIT_AUTH_TOKEN=NAME), or check the one that is passed"
}

// readFile reads a file of the build context: a folder on the client's side, a git repository or an
// archive. The client sends no other file.
func (b *build) readFile(ctx context.Context, name string) ([]byte, error) {
	state, err := b.MainContext(ctx,
		llb.FollowPaths([]string{name}),
		llb.SharedKeyHint(dockerui.DefaultLocalNameContext+"-"+name),
		llb.Differ(llb.DiffNone, false), // the same size and time do not make the same file
		dockerui.WithInternalName("load "+name+" from the build context"),
	)
	if err != nil {
		return nil, fmt.Errorf("load the build context: %w", err)
	}
	ref, err := b.solve(ctx, *state, true)
	if err != nil {
		return nil, fmt.Errorf("load %s from the build context: %w", name, explainGit(err))
	}
	return ReadContextFile(fileSystem{ctx, ref}, name)
}

// readLockfile reads the lock file beside the build file. It returns nil if there is none.
func (b *build) readLockfile(ctx context.Context) (*llbgen.Lockfile, error) {
	res, err := b.gateway.Solve(ctx, client.SolveRequest{Definition: b.src.Definition.ToPB()})
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", b.lockName, err)
	}
	ref, err := res.SingleRef()
	if err != nil {
		return nil, err
	}
	files := fileSystem{ctx, ref}
	if _, err := files.Open(b.lockName); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	data, err := ReadContextFile(files, b.lockName)
	if err != nil {
		return nil, err
	}
	lockfile, err := llbgen.ParseLockfile(b.lockName, data)
	if err != nil {
		return nil, errors.New(err.Error()) // its lines are not lines of the build file
	}
	return lockfile, nil
}

// ReadContextFile reads a file of the build context.
func ReadContextFile(files fs.FS, name string) ([]byte, error) {
	data, err := userfile.ReadFS(files, name, MaxContextFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no %s in the build context, or its .dockerignore leaves it out", name)
	}
	if err != nil {
		return nil, fmt.Errorf("the build context: %w", err)
	}
	return data, nil
}
