package integration

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/samforge/samforge/integration/testenv"
)

// shared is the test bed of [sharedBed].
var shared struct {
	once sync.Once
	bed  *bed
	npm  *testenv.NPMRegistry

	ends   []func() // run after all tests
	failed bool     // one of them did
}

// sharedBed returns a test bed as newServerlessBed starts it, but one that tests share: its builder
// has what other tests pulled and built, which saves most of the work. Repositories are the test's
// own. A test that counts requests or changes how a registry answers starts a bed for itself.
func sharedBed(t *testing.T) (*bed, *testenv.NPMRegistry) {
	t.Helper()
	shared.once.Do(func() {
		shared.bed, shared.npm = newServerlessBedUntil(t, allTests{t}, testenv.Options{}, testenv.ServerlessOptions{})
	})
	if shared.bed == nil {
		t.Fatal("the shared test bed did not start: see the first test that needed it")
	}
	b := *shared.bed
	b.t, b.prefix = t, notInNames.ReplaceAllString(strings.ToLower(t.Name()), "-")+"/"
	return &b, shared.npm
}

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// allTests is the test that starts the shared bed, but ends with all tests.
type allTests struct{ testing.TB }

func (allTests) Cleanup(f func()) { shared.ends = append(shared.ends, f) }

func (allTests) Errorf(format string, args ...any) {
	shared.failed = true
	fmt.Fprintf(os.Stderr, format+"\n", args...)
}

func (allTests) Logf(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
func (allTests) Failed() bool                    { return shared.failed }

// endShared ends the shared test bed, and reports whether that succeeded.
func endShared() bool {
	for _, end := range slices.Backward(shared.ends) {
		end()
	}
	return !shared.failed
}
