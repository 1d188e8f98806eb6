package ci

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/samforge/samforge/internal/registry"
)

// Only a step reads its settings, so only a step's error names them.
func TestDeniedLoginNamesTheSettings(t *testing.T) {
	t.Parallel()
	denied := errors.New("failed to push registry.example.com/team/app:1: denied")
	if err := registry.Explain(denied, "registry.example.com/team/app:1"); strings.Contains(err.Error(), "PLUGIN_") {
		t.Errorf("build says %v", err)
	} else if got := withSetting(fmt.Errorf("app: %w", err)).Error(); !strings.Contains(got, "in this step the login is PLUGIN_USERNAME and PLUGIN_PASSWORD") {
		t.Errorf("a step says %s", got)
	}
	if other := errors.New("no space left"); withSetting(other) != other || withSetting(nil) != nil {
		t.Error("other errors stay as they are")
	}
}
