package samtemplate_test

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/samforge/samforge/samtemplate"
	"github.com/samforge/samforge/source"
)

// seeds are short templates: the fuzzer changes long ones slowly.
func seeds() []string {
	const image = "A: {Type: AWS::Serverless::Function, Properties: {PackageType: Image}, Metadata: {Dockerfile: a, DockerContext: b}}"
	const lambda = "A:\n  Type: AWS::Lambda::Function\n  Properties:\n   PackageType: Image\n   Code:\n    ImageUri: a.b/c # d\n"
	return []string{
		"Resources:\n " + image,
		"Resources: {" + image + "}\r\n",
		`{"Resources": {"A": {"Type": "AWS::Serverless::Function", "Properties": {"PackageType": "Image", "ImageUri": "a.b/c"}}}}`,
		"Resources:\n " + lambda,
		"Transform: AWS::LanguageExtensions\nResources: {'Fn::ForEach::L': [V, [x], {" + image + "}]}",
		"Parameters: {P: {Type: String, NoEcho: true, Default: x}}\nConditions: {C: !Equals [!Ref P, x]}\nResources: {B: {Type: !If [C, a, b]}}",
		"Resources: {A: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: t, Parameters: {P: !Join [a, [b]]}}}}",
		"Resources: &r\r\n  Fn: {<<: [*r], Type: !Select [0, !Split [a, b]]}\u2028",
	}
}

// FuzzLoad: whatever the file, there is a template or there are mistakes, none of them outside of
// the file.
func FuzzLoad(f *testing.F) {
	for _, seed := range seeds() {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		template, err := load(data)
		if err != nil {
			var mistakes source.Diagnostics
			if !errors.As(err, &mistakes) || len(mistakes) == 0 || err.Error() == "" {
				t.Fatalf("%T is no list of mistakes: %v", err, err)
			}
			checkPlaces(t, data, mistakes)
			return
		}
		checkPlaces(t, data, template.Warnings)
		describe(template)
	})
}

// load reads a template whose nested templates are all the same, and have nothing in them.
func load(data []byte) (*samtemplate.Template, error) {
	return samtemplate.Load(samtemplate.File{Name: "template.yaml", Data: data}, samtemplate.Options{
		IsFile:       func(string) bool { return true },
		ReadTemplate: func(string) (samtemplate.File, error) { return samtemplate.File{Data: []byte("Resources: {}")}, nil },
	})
}

func checkPlaces(t *testing.T, data []byte, diagnostics []*source.Diagnostic) {
	t.Helper()
	lines := source.Lines(data)
	for _, d := range diagnostics {
		if d.Filename != "template.yaml" || d.Line == 0 && d.Column == 0 {
			continue
		}
		if d.Line < 1 || d.Line > len(lines) {
			t.Errorf("line %d of %d: %v", d.Line, len(lines), d)
		} else if d.Column < 1 || d.Column > utf8.RuneCountInString(lines[d.Line-1])+1 {
			t.Errorf("column %d of line %q: %v", d.Column, lines[d.Line-1], d)
		}
	}
}

// FuzzRewrite: whatever the template, the images are in the new one, or there is an error.
func FuzzRewrite(f *testing.F) {
	for _, seed := range seeds() {
		f.Add([]byte(seed), "localhost:5000/app:1")
	}
	f.Add([]byte(fn(", ImageUri: !Sub a", complete)), "a\n\"b\": {")
	f.Fuzz(func(t *testing.T, data []byte, image string) {
		template, err := load(data)
		if err != nil {
			return
		}
		edits := samtemplate.Edits{Images: map[string]string{}}
		for _, fn := range template.Functions {
			edits.Images[fn.LogicalID] = image
		}
		text, err := template.Rewrite(edits)
		if err != nil {
			return
		}
		again, err := load(text)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		for _, fn := range again.Functions {
			if fn.Origin != samtemplate.NotBuilt && fn.ImageUri.Reveal() != image {
				t.Errorf("%s has %q, not %q\n%s", fn.LogicalID, fn.ImageUri.Reveal(), image, text)
			}
		}
	})
}

// FuzzLintDockerfile: whatever the Dockerfile, the findings are at its lines.
func FuzzLintDockerfile(f *testing.F) {
	for _, seed := range []string{
		"ARG T=latest\nFROM --platform=linux/arm64 a:${T} AS b\nFROM b\nCOPY --from=0 /a /b\nENTRYPOINT a\n",
		"# check=skip=all\nFROM scratch\nRUN --mount=from=c,target=/d <<E\nE\n", "FROM a\u2028\nENTRYPOINT [\"\"]\n", "# escape=`\nFROM `\n a\n",
	} {
		f.Add([]byte(seed))
	}
	template, err := load([]byte(fn("", complete)))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, d := range template.Functions[0].LintDockerfile(samtemplate.Dockerfile{Name: "Dockerfile", Data: data, Today: today}) {
			if d.Line < 1 || d.Line > len(source.Lines(data)) || d.Rule == "" {
				t.Errorf("%+v", d)
			}
		}
	})
}

// FuzzOverrides: parameters can be read again after they are written, and no mistake shows a value.
func FuzzOverrides(f *testing.F) {
	for _, seed := range []string{
		"Stage=prod Name=\"two words\"", "ParameterKey=Stage,ParameterValue=prod", "A='it\\'s' B=\\", "A=b\\ c\nD=", "A=\"b", "A=b c", "a", "\"A\"='\u2028'\t'B'=\\\\",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		// No name can be like the canary.
		if _, err := samtemplate.ParseOverrides(text + "ca-nary" + text); err != nil && strings.Contains(err.Error(), "ca-nary") {
			t.Errorf("the mistake shows a value: %v", err)
		}
		parameters, err := samtemplate.ParseOverrides(text)
		if err != nil {
			return
		}
		written, err := samtemplate.FormatOverrides(parameters)
		if err != nil {
			return
		}
		if again, err := samtemplate.ParseOverrides(written); err != nil || !maps.Equal(again, parameters) {
			t.Errorf("%q is written as %q, and read as %q, %v", parameters, written, again, err)
		}
	})
}
