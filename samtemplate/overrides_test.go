package samtemplate_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/samforge/samforge/samtemplate"
)

func ExampleParseOverrides() {
	parameters, err := samtemplate.ParseOverrides(`Stage=prod Name="two words"`, "ParameterKey=Arch,ParameterValue=arm64")
	fmt.Println(parameters, err)
	// Output: map[Arch:arm64 Name:two words Stage:prod] <nil>
}

func TestParseOverrides(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]map[string]string{
		"":                 {},
		" A=b  C=d ":       {"A": "b", "C": "d"},
		"A=b A=c":          {"A": "c"},
		"A= B=":            {"A": "", "B": ""},
		"A='b c'":          {"A": "b c"},
		`A="b \"c\""`:      {"A": `b "c"`},
		`A=b\ c`:           {"A": "b c"},
		`A=C:\dir`:         {"A": `C:\dir`},
		`A={"b":1}`:        {"A": `{"b":1}`},
		"A=b=c,d":          {"A": "b=c,d"},
		"AWS::AccountId=1": {"AWS::AccountId": "1"},
		`"A"=b`:            {"A": "b"},
		"ParameterKey=A,ParameterValue=b ParameterKey=C,ParameterValue='d e'": {"A": "b", "C": "d e"},
		"ParameterKey=A,ParameterValue=b,c":                                   {"A": "b,c"},
	} {
		got, err := samtemplate.ParseOverrides(text)
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("%s is %q, %v; want %q", text, got, err, want)
		}
	}
}

func TestParseOverridesMistakes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"A":            "expected Name=value",
		"A=canary x":   "what follows the value of A is not Name=value",
		`A="canary`:    "the quoted value of A has no end",
		"A_B=canary":   "expected Name=value",
		`A="canary"b=`: "the quoted value of A has no end",
	} {
		_, err := samtemplate.ParseOverrides(text)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

// What is written is read again as it was.
func TestFormatOverrides(t *testing.T) {
	t.Parallel()
	parameters := map[string]string{
		"A": "b", "B": "", "C": "two words", "D": `"quoted"`, "E": `it's`, "F": `C:\dir`, "G": `ends with \`, "H": `\"`, "I": "two\nlines", "J": " spaces ", "K": "a=b,c",
	}
	text, err := samtemplate.FormatOverrides(parameters)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := samtemplate.ParseOverrides(text); err != nil || !maps.Equal(got, parameters) {
		t.Errorf("%s\nis %q, %v; want %q", text, got, err, parameters)
	}
	if _, err := samtemplate.FormatOverrides(map[string]string{"A": "two\nlines\\"}); err == nil || !strings.Contains(err.Error(), "parameter A") {
		t.Errorf("a value without a form: %v", err)
	}
}
