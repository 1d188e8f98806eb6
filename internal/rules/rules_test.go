package rules_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/samforge/samforge/internal/rules"
)

// docs/rules.md has a section for each rule, which says how to skip it, and no other sections.
func TestEveryRuleIsExplained(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := regexp.MustCompile(`(?m)^## `).Split(string(data), -1)[1:]
	all := rules.All()
	if len(sections) != len(all) {
		t.Fatalf("there are %d sections and %d rules", len(sections), len(all))
	}
	for i, rule := range all {
		heading, text, _ := strings.Cut(sections[i], "\n")
		if heading != rule.Name {
			t.Errorf("section %d is %q, want %q", i, heading, rule.Name)
		}
		for _, want := range []string{"**" + rule.Description + ".**", map[bool]string{false: "`# check=skip=", true: "`# check=experimental="}[rule.Experimental] + rule.Name + "`"} {
			if !strings.Contains(text, want) {
				t.Errorf("the section %s does not say %q", rule.Name, want)
			}
		}
		if !slices.Contains(rule.Files, rules.BuildFile) && !strings.Contains(text, "For SAM templates.") {
			t.Errorf("the section %s does not say that it is for SAM templates", rule.Name)
		}
		if !strings.HasSuffix(rule.URL(), "docs/rules.md#"+strings.ToLower(heading)) {
			t.Errorf("%s leads to %s", rule.Name, rule.URL())
		}
	}
}
