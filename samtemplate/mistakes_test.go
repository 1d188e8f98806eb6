package samtemplate_test

import (
	"strings"
	"testing"

	"github.com/samforge/samforge/samtemplate"
)

// fn is a template with a function that has these lines in its Properties and its Metadata.
func fn(properties, metadata string) string {
	return "Resources:\n  Fn:\n    Type: AWS::Serverless::Function\n    Properties: {PackageType: Image" + properties + "}\n    Metadata: {" + metadata + "}\n"
}

const complete = "Dockerfile: Dockerfile, DockerContext: ."

// TestMistakes: what SAM says nothing about, or says late, is a mistake at its line.
func TestMistakes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		template   string
		parameters map[string]string
		want       string
	}{
		"it is empty":          {template: "# nothing\n", want: "template.yaml: the template is empty"},
		"it is null":           {template: "---\n", want: "template.yaml: the template is empty"},
		"it is a list":         {template: "- a\n", want: "template.yaml:1:1: expected a template, which is a mapping with Resources, found a list"},
		"it has no resources":  {template: "Resources:\n", want: "template.yaml:1:1: Resources: the section is empty"},
		"a parameter is empty": {template: "Parameters:\n  Stage:\nResources: {}\n", want: "template.yaml:2:3: Parameters.Stage: the parameter has no Type"},
		"it is no template": {
			template: "kind: sam\n", want: "template.yaml:1:1: the section Resources is missing: this is not a template",
		},
		"a section is misspelt": {
			template: "Resource: {}\n", want: "template.yaml:1:1: the section Resources is missing: did you mean it by Resource?",
		},
		"a tag is misspelt": {
			template: fn("", complete+", DockerTag: !Rf Stage"), want: "template.yaml:5:69: Resources.Fn.Metadata.DockerTag: the tag !Rf is unknown: did you mean !Ref?",
		},
		"a resource is a list": {
			template: "Resources:\n  Fn: []\n", want: "template.yaml:2:7: Resources.Fn: expected a mapping of keys to values, found a list",
		},
		"the context is missing": {
			template: fn("", "Dockerfile: Dockerfile"),
			want:     "template.yaml:5:15: Resources.Fn.Metadata: DockerContext is missing: it is the folder of the code, relative to the template",
		},
		"the Dockerfile is missing": {
			template: fn("", "DockerContext: ."), want: "template.yaml:5:15: Resources.Fn.Metadata: Dockerfile is missing: it is a path in DockerContext, such as Dockerfile",
		},
		"a key of Metadata is misspelt": {
			template: fn("", "DockerFile: a, DockerContext: ."),
			want: "template.yaml:5:16: Resources.Fn.Metadata: unknown key \"DockerFile\": did you mean \"Dockerfile\"?\n" +
				"template.yaml:5:15: Resources.Fn.Metadata: Dockerfile is missing: it is a path in DockerContext, such as Dockerfile",
		},
		"nothing says how to build it": {
			template: fn("", ""), want: "template.yaml:2:3: Resources.Fn: nothing says where the image of the function comes from: give it Metadata with Dockerfile and DockerContext, or an ImageUri",
		},
		"the archive is missing": {
			template: fn(", ImageUri: ./fn.tar.gz", ""),
			want:     `template.yaml:4:48: Resources.Fn.ImageUri: "./fn.tar.gz" is neither an image in a registry nor a file: to build the image, give the function Metadata with Dockerfile and DockerContext`,
		},
		"the image is a local one": {
			template: fn(", ImageUri: fn:latest", ""), want: `template.yaml:4:48: Resources.Fn.ImageUri: "fn:latest" is neither an image in a registry nor a file`,
		},
		"there are two architectures": {
			template: fn(", Architectures: [x86_64, arm64]", complete),
			want:     "template.yaml:4:53: Resources.Fn.Properties.Architectures: a function has exactly one architecture, x86_64 or arm64: the list has 2",
		},
		"the architecture is unknown": {
			template: fn(", Architectures: [riscv]", complete), want: `template.yaml:4:53: Resources.Fn.Properties.Architectures: unknown architecture "riscv": it is x86_64 or arm64`,
		},
		"the architecture is not known yet": {
			template: fn(", Architectures: [!Ref Arch]", complete), want: `template.yaml:4:54: Resources.Fn.Properties.Architectures: there is no parameter or resource "Arch"`,
		},
		"the architecture is no list": {
			template: fn(", Architectures: arm64", complete), want: "template.yaml:4:53: Resources.Fn.Properties.Architectures: expected a list, found a string",
		},
		"the type of package is globals": {
			template: "Globals:\n  Function: {PackageType: Image}\n" + fn("", complete),
			want:     "template.yaml:2:27: Globals.Function.PackageType: SAM does not take PackageType in Globals: write it in each function",
		},
		"the type of package is in lower case": {
			template: strings.Replace(fn("", complete), "Image", "image", 1), want: `template.yaml:4:31: Resources.Fn.Properties.PackageType: PackageType is Image or Zip, not "image"`,
		},
		"the function has a runtime": {
			template: fn(", Runtime: python3.13", complete), want: "template.yaml:4:47: Resources.Fn.Properties.Runtime: Lambda takes no Runtime for a function whose code is an image: remove it",
		},
		"the function has the runtime of globals": {
			template: "Globals:\n  Function: {Handler: a.b}\n" + fn("", complete),
			want:     "template.yaml:2:23: Globals.Function.Handler: Lambda takes no Handler for Fn, whose code is an image: write IgnoreGlobals: [Handler] at the function, beside its Type",
		},
		"a tag is the name of a parameter without a value": {
			template: "Parameters:\n  Stage: {Type: String}\n" + fn("", complete+", DockerTag: !Ref Stage"),
			want:     "template.yaml:7:69: Resources.Fn.Metadata.DockerTag: the parameter Stage has no value: give it a Default, or --parameter-overrides Stage=…",
		},
		"a build argument is known after the deployment only": {
			template: fn("", complete+", DockerBuildArgs: {A: !GetAtt Table.Arn}"),
			want:     "template.yaml:5:79: Resources.Fn.Metadata.DockerBuildArgs.A: Fn::GetAtt is not known before the stack is deployed",
		},
		"the build arguments are a list": {
			template: fn("", complete+", DockerBuildArgs: [A]"), want: "template.yaml:5:75: Resources.Fn.Metadata.DockerBuildArgs: expected a mapping of keys to values, found a list",
		},
		"the extra parameters are a string": {
			template: fn("", complete+", DockerBuildExtraParams: --pull"), want: "template.yaml:5:82: Resources.Fn.Metadata.DockerBuildExtraParams: expected a list, found a string",
		},
		"a tag is too long": {
			template: fn("", complete+", DockerTag: "+strings.Repeat("a", 129)), want: `template.yaml:5:69: Resources.Fn.Metadata.DockerTag: "` + strings.Repeat("a", 129) + `" is not a legal tag`,
		},
		"a secret is in a name": {
			template: "Parameters: {Token: {Type: String, NoEcho: true, Default: canary}}\n" + fn("", complete+", DockerTag: !Sub '1-${Token}'"),
			want:     "template.yaml:6:69: Resources.Fn.Metadata.DockerTag: the name has the value of a parameter with NoEcho in it, and would be shown: use a parameter without NoEcho",
		},
		"an extra parameter is not known": {
			template: fn("", complete+", DockerBuildExtraParams: [--pull, !GetAtt A.B]"),
			want:     "template.yaml:5:91: Resources.Fn.Metadata.DockerBuildExtraParams: Fn::GetAtt is not known before the stack is deployed",
		},
		"a loop has no variable": {
			template: "Transform: [AWS::LanguageExtensions]\nResources:\n  Fn::ForEach::Loop: [[V], [a], {}]\n", want: "template.yaml:3:23: Resources.Fn::ForEach::Loop[0]: expected the name of the loop's variable",
		},
		"a loop repeats a list": {
			template: "Transform: [AWS::LanguageExtensions]\nResources:\n  Fn::ForEach::Loop: [V, [a], []]\n",
			want:     "template.yaml:3:31: Resources.Fn::ForEach::Loop[2]: expected a mapping of names to resources, found a list",
		},
		"a nested stack has no template": {
			template: "Resources:\n  Child: {Type: AWS::CloudFormation::Stack}\n", want: "template.yaml:2:3: Resources.Child: the nested stack has no TemplateURL",
		},
		"a number is too small": {
			template: "Parameters:\n  Count: {Type: Number, Default: 1, MinValue: 4}\n" + fn("", complete), want: `Parameters.Count.Default: the value "1" of Count is less than its MinValue`,
		},
		"a text is too long": {
			template: "Parameters:\n  Name: {Type: String, Default: abc, MaxLength: 2}\n" + fn("", complete), want: `Parameters.Name.Default: the value "abc" of Name is longer than its MaxLength`,
		},
		"a key is empty": {
			template: fn("", "Dockerfile: '', DockerContext: ."), want: "template.yaml:5:28: Resources.Fn.Metadata.Dockerfile: Dockerfile is empty",
		},
		"a number is none": {
			template: fn(", Timeout: soon", complete), want: `template.yaml:4:47: Resources.Fn.Properties.Timeout: expected a whole number that is more than 0, found "soon"`,
		},
		"a condition is misspelt": {
			template: "Conditions: {IsProd: !Equals [a, a]}\n" + strings.Replace(fn("", complete), "Metadata", "Condition: IsPrd\n    Metadata", 1),
			want:     `template.yaml:6:16: Resources.Fn.Condition: there is no condition "IsPrd": did you mean "IsProd"?`,
		},
		"a parameter is unknown": {
			template: "Parameters:\n  Stage: {Type: String}\n" + fn("", complete), parameters: map[string]string{"Stge": "canary"},
			want: `template.yaml: the parameter Stge is given, but the template has none of that name: did you mean "Stage"?`,
		},
		"a parameter is not among its values": {
			template: "Parameters:\n  Stage: {Type: String, AllowedValues: [dev, prod]}\n" + fn("", complete), parameters: map[string]string{"Stage": "prd"},
			want: `template.yaml:2:3: Parameters.Stage: the value "prd" of Stage is not one of its AllowedValues: dev, prod`,
		},
		"a default is no number": {
			template: "Parameters:\n  Count: {Type: Number, Default: x}\n" + fn("", complete), want: `template.yaml:2:34: Parameters.Count.Default: the value "x" of Count is not a number`,
		},
		"a number is too large": {
			template: "Parameters:\n  Count: {Type: Number, Default: 5, MaxValue: 4}\n" + fn("", complete), want: `Parameters.Count.Default: the value "5" of Count is more than its MaxValue`,
		},
		"a default does not match its pattern": {
			template: "Parameters:\n  Name: {Type: String, Default: a1, AllowedPattern: '[a-z]+'}\n" + fn("", complete), want: `Parameters.Name.Default: the value "a1" of Name does not match its AllowedPattern`,
		},
		"a secret is too short": {
			template: "Parameters:\n  Token:\n    Type: String\n    NoEcho: true\n    MinLength: 8\n    Default: canary\n" + fn("", complete),
			want:     "template.yaml:2:3: Parameters.Token: the value of Token is shorter than its MinLength",
		},
		"a secret is on the line of a mistake": {
			template: "Parameters: {Token: {Type: String, NoEcho: yes, Default: canary, Default: canary}}\n" + fn("", complete),
			want:     "template.yaml:1:66: Parameters.Token.Default: the key is repeated",
		},
		"a loop has no transform": {
			template: "Resources:\n  Fn::ForEach::Loop: [V, [a], {}]\n",
			want:     "template.yaml:2:3: Resources.Fn::ForEach::Loop: Fn::ForEach needs the transform AWS::LanguageExtensions",
		},
		"a loop has no body": {
			template: "Transform: AWS::LanguageExtensions\nResources:\n  Fn::ForEach::Loop: [V, [a]]\n",
			want:     "template.yaml:3:22: Resources.Fn::ForEach::Loop: Fn::ForEach takes a list of 3 arguments: the variable, the collection, and what to repeat",
		},
		"each iteration of a loop has an image of its own": {
			template: "Transform: AWS::LanguageExtensions\nResources:\n  Fn::ForEach::Loop:\n  - V\n  - [a, b]\n  - Fn${V}:\n      Type: AWS::Serverless::Function\n" +
				"      Properties: {PackageType: Image}\n      Metadata: {Dockerfile: Dockerfile, DockerContext: './${V}', DockerTag: !Ref V}\n",
			want: "template.yaml:9:57: Resources.Fn::ForEach::Loop[2].Fn${V}.Metadata.DockerContext: V is another text in each iteration of Fn::ForEach::Loop, and one image has to serve all of them: write the functions out\n" +
				"template.yaml:9:78: Resources.Fn::ForEach::Loop[2].Fn${V}.Metadata.DockerTag: V is another text",
		},
		"a nested stack is unreadable here": {
			template: "Resources:\n  Child:\n    Type: AWS::CloudFormation::Stack\n    Properties: {TemplateURL: child.yaml}\n",
			want:     "template.yaml:4:31: Resources.Child.Properties.TemplateURL: nested stacks are not read here",
		},
		"it is too large": {
			template: strings.Repeat("#", 20<<20), want: "template.yaml: the file has 20971520 bytes, and at most 8388608 are read",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := samtemplate.Load(samtemplate.File{Name: "template.yaml", Data: []byte(test.template)}, samtemplate.Options{Parameters: test.parameters})
			if got := summaries(t, err); !prefixed(got, test.want) {
				t.Errorf("got:\n%.1000s\nwant:\n%s", got, test.want)
			}
			if strings.Contains(err.Error(), "canary") {
				t.Errorf("the secret is shown:\n%v", err)
			}
		})
	}
}

// prefixed reports whether each line of a text has a part, as one of another text.
func prefixed(got, want string) bool {
	lines := strings.Split(got, "\n")
	parts := strings.Split(want, "\n")
	for i, part := range parts {
		if i >= len(lines) || !strings.Contains(lines[i], part) {
			return false
		}
	}
	return len(lines) == len(parts)
}

// TestConflictsOfIDs: two functions of loops may not have the same name.
func TestConflictsOfIDs(t *testing.T) {
	t.Parallel()
	loop := "  Fn::ForEach::LOOP:\n  - V\n  - [a, b]\n  - Fn${V}:\n      Type: AWS::Serverless::Function\n      Properties: {PackageType: Image}\n      Metadata: {" + complete + "}\n"
	template := "Transform: AWS::LanguageExtensions\nResources:\n" + strings.Replace(loop, "LOOP", "A", 1) + strings.Replace(loop, "LOOP", "B", 1)
	_, err := samtemplate.Load(samtemplate.File{Name: "template.yaml", Data: []byte(template)}, samtemplate.Options{})
	want := "template.yaml:13:5: Resources.Fn::ForEach::B[2].Fn${V}: two functions would be called Fn"
	if got := summaries(t, err); !prefixed(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
}
