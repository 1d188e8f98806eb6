package suggest

import "testing"

func TestNearest(t *testing.T) {
	t.Parallel()
	known := []string{"kind", "plugin", "repo", "runtimes", "docker", "goTemplate"}
	for name, test := range map[string]struct{ word, want string }{
		"a letter is missing":                    {"runtmes", "runtimes"},
		"a letter is too many":                   {"dockerr", "docker"},
		"two letters are swapped":                {"plugni", "plugin"},
		"swapped letters of a short word":        {"knid", "kind"},
		"all letters of three differ":            {"cdk", ""},
		"only the case differs":                  {"GOTEMPLATE", "goTemplate"},
		"the word is right":                      {"repo", "repo"},
		"nothing is near":                        {"entrypoint", ""},
		"a short word does not match everything": {"ab", ""},
		"there is no word":                       {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := Nearest(test.word, known); got != test.want {
				t.Errorf("Nearest(%q) = %q, want %q", test.word, got, test.want)
			}
		})
	}
}

func TestNearestTakesTheFirstOfEquals(t *testing.T) {
	t.Parallel()
	if got := Nearest("nodejs26.x", []string{"nodejs24.x", "nodejs22.x", "nodejs20.x"}); got != "nodejs24.x" {
		t.Errorf("got %q, want nodejs24.x", got)
	}
}
