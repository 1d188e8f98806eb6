// Package ci is the Build and Push step of CI pipelines: it reads the settings of drone-docker,
// drone-buildx and drone-kaniko (PLUGIN_ variables), and builds and pushes the image of any Dockerfile.
//
// One table, [Settings], has every setting with what it does here.
package ci

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/docker/cli/pkg/kvfile"

	"github.com/samforge/samforge/internal/suggest"
	"github.com/samforge/samforge/internal/userfile"
)

// Setting is one setting of a step.
type Setting struct {
	// Names are the variables that give the setting; the first that is set and not empty counts.
	Names []string
	// Type is text, bool, number, or list with its separator, such as "list ,".
	Type string
	// Default is the value without a variable, in words where it depends on others.
	Default string
	// Does says what the setting does; Ignored says why it does nothing, and is the text of the
	// warning; Refused says what to do instead of a setting that cannot be left out, and is the text of
	// the error. Exactly one of them is set.
	Does, Ignored, Refused string
	// Usual is a value that a platform gives to every step by itself, and that causes no warning.
	Usual string

	set func(s *Step, value string) error
}

// Types of settings.
const (
	typeText   = "text"
	typeBool   = "bool"
	typeNumber = "number"
	typeCommas = "list ,"
	typeSemis  = "list ;"
)

// names splits a list of names.
func names(list string) []string { return strings.Fields(list) }

func text(list, fallback, does string, to func(*Step) *string) Setting {
	return Setting{Names: names(list), Type: typeText, Default: fallback, Does: does, set: func(s *Step, value string) error {
		*to(s) = value
		return nil
	}}
}

func boolean(list, fallback, does string, to func(*Step) *bool) Setting {
	return Setting{Names: names(list), Type: typeBool, Default: fallback, Does: does, set: func(s *Step, value string) error {
		b, err := strconv.ParseBool(strings.TrimSpace(value))
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", value)
		}
		*to(s) = b
		return nil
	}}
}

func number(list, fallback, does string, to func(*Step) **int) Setting {
	return Setting{Names: names(list), Type: typeNumber, Default: fallback, Does: does, set: func(s *Step, value string) error {
		n, err := strconv.Atoi(strings.TrimSpace(value))
		if err != nil || n < 0 || n > maxNumber {
			return fmt.Errorf("%q is not a number from 0 to %d", value, maxNumber)
		}
		*to(s) = &n
		return nil
	}}
}

// maxNumber is the highest value of a setting that is a number.
const maxNumber = 100

func commas(list, fallback, does string, to func(*Step) *[]string) Setting {
	return separated(typeCommas, list, fallback, does, to)
}

func semis(list, fallback, does string, to func(*Step) *[]string) Setting {
	return separated(typeSemis, list, fallback, does, to)
}

func separated(kind, list, fallback, does string, to func(*Step) *[]string) Setting {
	_, separator, _ := strings.Cut(kind, " ")
	return Setting{Names: names(list), Type: kind, Default: fallback, Does: does, set: func(s *Step, value string) error {
		if strings.HasPrefix(strings.TrimSpace(value), "{") {
			pairs, err := mapping(value)
			*to(s) = append(*to(s), pairs...)
			return err
		}
		for item := range strings.SplitSeq(value, separator) {
			if item = strings.TrimSpace(item); item != "" {
				*to(s) = append(*to(s), item)
			}
		}
		return nil
	}}
}

// mapping returns the pairs KEY=VALUE of a mapping, in the order of the keys: CI systems hand one
// over as JSON.
func mapping(text string) (pairs []string, err error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var values map[string]any
	if err := decoder.Decode(&values); err != nil {
		return nil, fmt.Errorf("the value begins as a mapping, and is no JSON: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("the value begins as a mapping in JSON, and goes on after it")
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		switch value := values[key].(type) {
		case string, bool, json.Number:
			pairs = append(pairs, fmt.Sprintf("%s=%v", key, value))
		default:
			return nil, fmt.Errorf("%s: the value is neither text nor a number", key)
		}
	}
	return pairs, nil
}

// ignored is a setting that does nothing, with a warning that says why.
func ignored(list, why string) Setting {
	return Setting{Names: names(list), Type: typeText, Ignored: why}
}

// usual is ignored for a setting that a platform gives a value by itself.
func usual(list, value, why string) Setting {
	s := ignored(list, why)
	s.Usual = value
	return s
}

// refused is a setting that is an error.
func refused(list, instead string) Setting {
	return Setting{Names: names(list), Type: typeText, Refused: instead}
}

// Settings returns all settings, in the order of docs/step-settings.md.
func Settings() []Setting {
	return slices.Concat(imageSettings(), buildSettings(), pushSettings(), signingSettings(), loginSettings(), amazonSettings(), cloudSettings(), cacheSettings(), reachSettings(), otherSettings())
}

// Read reads the settings from variables, as NAME=VALUE. warnings are sentences about settings that
// do nothing, or that nobody knows. Mistakes name the variable.
func Read(environ []string) (s *Step, warnings []string, err error) {
	values := map[string]string{}
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		values[name] = value
	}
	if err := addFile(values, values[envFile]); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", envFile, err)
	}
	s = newStep(values)
	known := map[string]bool{}
	var mistakes []string
	for _, setting := range Settings() {
		for _, name := range setting.Names {
			known[name] = true
		}
		name, value := setting.given(values)
		switch {
		case name == "":
		case setting.Refused != "":
			mistakes = append(mistakes, name+": "+setting.Refused)
		case setting.Ignored != "" && value == setting.Usual:
		case setting.Ignored != "":
			warnings = append(warnings, fmt.Sprintf("%s does nothing here: %s", name, setting.Ignored))
		default:
			if err := setting.set(s, value); err != nil {
				mistakes = append(mistakes, fmt.Sprintf("%s: %v", name, err))
			}
		}
	}
	if err := s.applyBuildxOptions(); err != nil {
		mistakes = append(mistakes, err.Error())
	}
	warnings = append(warnings, unknown(values, known)...)
	if len(mistakes) > 0 {
		return nil, warnings, fmt.Errorf("%s", strings.Join(mistakes, "\n"))
	}
	return s, warnings, nil
}

// envFile is the variable that names a file with further variables. Those of the environment win.
const envFile = "PLUGIN_ENV_FILE"

// addFile adds the variables of a file, which is read as docker run --env-file does.
func addFile(values map[string]string, path string) error {
	if path == "" || path == os.DevNull {
		return nil
	}
	data, err := userfile.Read(path, 1<<20)
	if err != nil {
		return err
	}
	lines, err := kvfile.ParseFromReader(bytes.NewReader(data), func(name string) (string, bool) {
		value, ok := values[name]
		return value, ok
	})
	if err != nil {
		return err
	}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, "=")
		if _, given := values[name]; !given {
			values[name] = value
		}
	}
	return nil
}

// given returns the variable that gives the setting, and its value; "" if none does.
func (s Setting) given(values map[string]string) (name, value string) {
	for _, name := range s.Names {
		if values[name] != "" {
			return name, values[name]
		}
	}
	return "", ""
}

// unknown returns a warning for each PLUGIN_ variable that is no setting, with the nearest name.
func unknown(values map[string]string, known map[string]bool) (warnings []string) {
	var all []string
	for name := range known {
		all = append(all, name)
	}
	sort.Strings(all)
	var strange []string
	for name, value := range values {
		if strings.HasPrefix(name, "PLUGIN_") && !known[name] && value != "" {
			strange = append(strange, name)
		}
	}
	sort.Strings(strange)
	for _, name := range strange {
		sentence := name + " is no setting of this step"
		if near := suggest.Nearest(name, all); near != "" {
			sentence += ": did you mean " + near + "?"
		}
		warnings = append(warnings, sentence)
	}
	return warnings
}

// InEnvironment reports whether the environment has settings of a step.
func InEnvironment() bool {
	return slices.ContainsFunc(os.Environ(), func(variable string) bool { return strings.HasPrefix(variable, "PLUGIN_") })
}
