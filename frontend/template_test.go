package frontend

import (
	"testing"

	"github.com/samforge/samforge/samtemplate"
)

func TestFunctionNamed(t *testing.T) {
	t.Parallel()
	const image = "    Type: AWS::Serverless::Function\n    Properties: {PackageType: Image}\n    Metadata: {Dockerfile: Dockerfile, DockerContext: ."
	files := map[string]string{
		"template.yaml": "Resources:\n  HelloFn:\n" + image + ", SamResourceId: Greeter}\n  SkippedFn:\n" + image + ", SkipBuild: true}\n" +
			"  Child: {Type: AWS::Serverless::Application, Properties: {Location: child.yaml}}\n",
		"child.yaml": "Resources:\n  HelloFn:\n" + image + "}\n  OnlyFn:\n" + image + "}\n",
	}
	load := func(name string) *samtemplate.Template {
		template, err := samtemplate.Load(samtemplate.File{Name: name, Data: []byte(files[name])}, samtemplate.Options{
			ReadTemplate: func(name string) (samtemplate.File, error) {
				return samtemplate.File{Name: name, Data: []byte(files[name])}, nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		return template
	}
	template := load("template.yaml")
	for name, want := range map[string]string{
		"HelloFn": "HelloFn", "Child/HelloFn": "Child/HelloFn", "OnlyFn": "Child/OnlyFn", "Greeter": "HelloFn", "SkippedFn": "SkippedFn",
	} {
		if f, err := FunctionNamed(template, name); err != nil || f.Path != want {
			t.Errorf("%s is %v, %v; want %s", name, f, err, want)
		}
	}
	for name, want := range map[string]string{
		"":        "the template has several functions: name one with --target (HelloFn, Child/HelloFn, Child/OnlyFn)",
		"HeloFn":  `the template has no function "HeloFn": did you mean "HelloFn"? (functions: HelloFn, Child/HelloFn, Child/OnlyFn)`,
		"Nothing": `the template has no function "Nothing" (functions: HelloFn, Child/HelloFn, Child/OnlyFn)`,
	} {
		if _, err := FunctionNamed(template, name); err == nil || err.Error() != want {
			t.Errorf("%q: the error is %v, want %s", name, err, want)
		}
	}
}
