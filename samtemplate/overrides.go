package samtemplate

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// ParseOverrides reads parameters in the forms of `sam build --parameter-overrides`:
//
//	Stage=prod Name="two words"
//	ParameterKey=Stage,ParameterValue=prod
//
// Each text may have several of them, with spaces between. The last value of a name wins. Errors
// do not show values, as they may be secret.
//
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-cli-command-reference-sam-build.html
func ParseOverrides(texts ...string) (map[string]string, error) {
	parameters := map[string]string{}
	for _, text := range texts {
		parsed, err := parseOverrides(text)
		if err != nil {
			return nil, fmt.Errorf("parameter overrides: %w", err)
		}
		maps.Copy(parameters, parsed)
	}
	return parameters, nil
}

// FormatOverrides returns parameters as a text that [ParseOverrides] reads. It returns an error for a
// value that has no such form.
func FormatOverrides(parameters map[string]string) (string, error) {
	escape := strings.NewReplacer(`"`, `\"`, `'`, `\'`, " ", `\ `).Replace
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		value := `"` + escape(parameters[name]) + `"`
		if strings.HasSuffix(parameters[name], `\`) { // would escape the quote
			value = escape(parameters[name])
		}
		line := name + "=" + value
		if again, err := ParseOverrides(line); err != nil || again[name] != parameters[name] {
			return "", fmt.Errorf("the value of the parameter %s cannot be written as Name=value", name)
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n"), nil
}

// overrideKey matches the beginning of an override in each form, up to its value.
var overrideKey = regexp.MustCompile(`^(?:ParameterKey=["']?([A-Za-z0-9:]+)["']?,ParameterValue=|["']?([A-Za-z0-9:]+)["']?=)`)

func parseOverrides(text string) (map[string]string, error) {
	parameters := map[string]string{}
	before := ""
	for rest := strings.TrimSpace(text); rest != ""; rest = strings.TrimSpace(rest) {
		key := overrideKey.FindStringSubmatch(rest)
		switch {
		case key == nil && before != "":
			return nil, fmt.Errorf("what follows the value of %s is not Name=value: put a value with spaces in quotes, as in Name=\"two words\"", before)
		case key == nil:
			return nil, errors.New("expected Name=value, or ParameterKey=Name,ParameterValue=value")
		}
		before = key[1] + key[2]
		value, length, ok := overrideValue(rest[len(key[0]):])
		if !ok {
			return nil, fmt.Errorf("the quoted value of %s has no end", before)
		}
		parameters[before] = value
		rest = rest[len(key[0])+length:]
	}
	return parameters, nil
}

// overrideValue returns the value that a text begins with, and its length in the text. The result
// is false if a quote is not closed.
func overrideValue(text string) (value string, length int, ok bool) {
	const spaces = " \t\r\n"
	end, skip := spaces, 0
	if text != "" && strings.Contains(`"'`, text[:1]) {
		end, skip = text[:1], 1
	}
	var b strings.Builder
	for i := skip; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text) && strings.ContainsRune(` "'`, rune(text[i+1])):
			i++
			b.WriteByte(text[i])
		case strings.IndexByte(end, text[i]) >= 0:
			i += skip
			return b.String(), i, i == len(text) || strings.IndexByte(spaces, text[i]) >= 0
		default:
			b.WriteByte(text[i])
		}
	}
	return b.String(), len(text), skip == 0
}
