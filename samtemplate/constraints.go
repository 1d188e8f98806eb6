package samtemplate

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/samforge/samforge/source"
)

// constraint says what is wrong with the value of a parameter; "" if nothing is. A secret value is
// not in what it says.
func constraint(p parameter, kind string, fields map[string]source.Value) string {
	shown := fmt.Sprintf("the value %q", p.value)
	if p.value.Secret() {
		shown = "the value"
	}
	values := []string{p.value.Reveal()}
	if p.isList {
		values = strings.Split(p.value.Reveal(), ",")
	}
	allowed := allowedValues(fields["AllowedValues"])
	for _, value := range values {
		value = strings.TrimSpace(value)
		if len(allowed) > 0 && !slices.Contains(allowed, value) {
			return fmt.Sprintf("%s of %s is not one of its AllowedValues: %s", shown, p.name, strings.Join(allowed, ", "))
		}
		if kind == "Number" || kind == "List<Number>" {
			if problem := numberConstraint(value, fields); problem != "" {
				return fmt.Sprintf("%s of %s %s", shown, p.name, problem)
			}
		}
	}
	if kind != "String" {
		return ""
	}
	if problem := stringConstraint(p.value.Reveal(), fields); problem != "" {
		return fmt.Sprintf("%s of %s %s", shown, p.name, problem)
	}
	return ""
}

func allowedValues(v source.Value) []string {
	var allowed []string
	if v.Node != nil && v.Node.Kind == yaml.SequenceNode && v.Tag() == "" {
		for item := range v.Items() {
			allowed = append(allowed, literal(item))
		}
	}
	return allowed
}

func numberConstraint(value string, fields map[string]source.Value) string {
	n, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return "is not a number"
	}
	if limit, err := strconv.ParseFloat(literal(fields["MinValue"]), 64); err == nil && n < limit {
		return "is less than its MinValue"
	}
	if limit, err := strconv.ParseFloat(literal(fields["MaxValue"]), 64); err == nil && n > limit {
		return "is more than its MaxValue"
	}
	return ""
}

func stringConstraint(value string, fields map[string]source.Value) string {
	if limit, err := strconv.Atoi(literal(fields["MinLength"])); err == nil && utf8.RuneCountInString(value) < limit {
		return "is shorter than its MinLength"
	}
	if limit, err := strconv.Atoi(literal(fields["MaxLength"])); err == nil && utf8.RuneCountInString(value) > limit {
		return "is longer than its MaxLength"
	}
	// The pattern is one of Java's. What Go cannot read is left to CloudFormation.
	pattern, err := regexp.Compile("^(?:" + literal(fields["AllowedPattern"]) + ")$")
	if literal(fields["AllowedPattern"]) != "" && err == nil && !pattern.MatchString(value) {
		return "does not match its AllowedPattern"
	}
	return ""
}
