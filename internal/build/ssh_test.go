package build

import (
	"strings"
	"testing"
)

func TestNoAgentToForward(t *testing.T) {
	t.Setenv("SSH_AUTH_SOCK", "")
	var opt Options
	opt.SSH = []string{"foo"}
	if _, err := sshAgents(opt); err == nil || !strings.Contains(err.Error(), "--ssh: no SSH agent runs here") || !strings.Contains(err.Error(), "foo=KEY") {
		t.Errorf("got %v", err)
	}
}
