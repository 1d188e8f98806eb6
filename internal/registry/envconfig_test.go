package registry

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
)

func TestBadEnvironmentIsAWarning(t *testing.T) {
	for text, want := range map[string]string{
		"nonsense":                                   "DOCKER_AUTH_CONFIG is not used: it is not JSON of that form (invalid character",
		`{"auths": {}} {}`:                           "there is more after its JSON",
		`{"auths": {"r": {}}}`:                       `r has no "auth"`,
		`{"auths": {"r": {"auth": "c2VjcmV0"}}}`:     "not the base64 of USER:PASSWORD",
		`{"auths": {"r": {"auth": "OnNlY3JldA=="}}}`: "not the base64 of USER:PASSWORD",
		`{"auths": {"r": {"auth": "dTpw"}}}`:         "",
		`{"credHelpers": {"r": "ecr-login"}}`:        `unknown field "credHelpers"`,
	} {
		t.Setenv("DOCKER_AUTH_CONFIG", text)
		t.Setenv("DOCKER_CONFIG", t.TempDir())
		var said []string
		k := NewKeychain(func(sentence string) { said = append(said, sentence) }, AWS{})
		for range 2 {
			if _, err := k.Resolve(name.MustParseReference("r.example.com/a").Context()); err != nil {
				t.Fatal(err)
			}
		}
		got := strings.Join(said, "\n")
		if want == "" && got != "" || !strings.Contains(got, want) || len(said) > 1 {
			t.Errorf("%s: %q", text, got)
		}
		if kept := os.Getenv("DOCKER_AUTH_CONFIG") != ""; kept != (want == "") {
			t.Errorf("%s: kept is %t", text, kept)
		}
	}
}
