package invoke

import (
	"context"
	"errors"
	"io"

	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/sshforward"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// sockets serves the sockets of instances, and leaves other IDs to the SSH agents of the user. A build
// step reaches a socket through the session, as it reaches an SSH agent, so that nothing that goes over
// it is in a cache, in a log, or in the history of the builder.
type sockets struct {
	sshforward.UnimplementedSSHServer
	agents sshforward.SSHServer // nil if there are none
	serve  func(ctx context.Context, id string, conn io.ReadWriter) (known bool, err error)
	knows  func(id string) bool
}

var _ session.Attachable = (*sockets)(nil)

// Register makes the sockets a service of the session.
func (s *sockets) Register(server *grpc.Server) { sshforward.RegisterSSHServer(server, s) }

// CheckAgent reports whether there is a socket with the ID.
func (s *sockets) CheckAgent(ctx context.Context, r *sshforward.CheckAgentRequest) (*sshforward.CheckAgentResponse, error) {
	switch {
	case s.knows(r.ID):
		return &sshforward.CheckAgentResponse{}, nil
	case s.agents != nil:
		return s.agents.CheckAgent(ctx, r)
	}
	return nil, status.Errorf(codes.NotFound, "there is no SSH agent %s: name one with --ssh", r.ID)
}

// ForwardAgent serves one connection to a socket.
func (s *sockets) ForwardAgent(stream grpc.BidiStreamingServer[sshforward.BytesMessage, sshforward.BytesMessage]) error {
	opts, _ := metadata.FromIncomingContext(stream.Context())
	id := sshforward.DefaultID
	if given := opts[sshforward.KeySSHID]; len(given) > 0 {
		id = given[0]
	}
	if known, err := s.serve(stream.Context(), id, &streamConn{stream: stream}); known {
		return err
	}
	if s.agents == nil {
		return status.Errorf(codes.NotFound, "there is no SSH agent %s", id)
	}
	return s.agents.ForwardAgent(stream)
}

// streamConn is a stream of messages as a connection.
type streamConn struct {
	stream grpc.BidiStreamingServer[sshforward.BytesMessage, sshforward.BytesMessage]
	rest   []byte
}

func (c *streamConn) Read(p []byte) (int, error) {
	for len(c.rest) == 0 {
		message, err := c.stream.Recv()
		if err != nil {
			if errors.Is(err, context.Canceled) {
				err = io.EOF
			}
			return 0, err
		}
		c.rest = message.Data
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// maxMessage is the most that one message has: BuildKit's own agents send 32 KiB.
const maxMessage = 32 << 10

func (c *streamConn) Write(p []byte) (int, error) {
	for sent := 0; sent < len(p); sent += maxMessage {
		if err := c.stream.Send(&sshforward.BytesMessage{Data: p[sent:min(sent+maxMessage, len(p))]}); err != nil {
			return sent, err
		}
	}
	return len(p), nil
}
