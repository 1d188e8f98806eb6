package samtemplate_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/samforge/samforge/samtemplate"
)

// TestOrigins: the image of a function is built, or it is in an archive or in a registry, or the
// function is left alone.
func TestOrigins(t *testing.T) {
	t.Parallel()
	const ecr = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/fn:1"
	for name, test := range map[string]struct {
		template string
		want     samtemplate.Origin
		archive  string
	}{
		"Metadata says how to build it":         {fn(", ImageUri: "+ecr, complete), samtemplate.FromDockerfile, ""},
		"ImageUri is an image in a registry":    {fn(", ImageUri: "+ecr, ""), samtemplate.FromRegistry, ""},
		"ImageUri is known after deploying":     {fn(", ImageUri: !GetAtt Image.Uri", ""), samtemplate.FromRegistry, ""},
		"ImageUri is an archive":                {fn(", ImageUri: ../fn.tar.gz", ""), samtemplate.FromArchive, "fn.tar.gz"},
		"ImageUri is an archive somewhere else": {fn(", ImageUri: /fn.tar", ""), samtemplate.FromArchive, "/fn.tar"},
		"Metadata says to skip it":              {fn("", complete+", SkipBuild: true"), samtemplate.NotBuilt, ""},
		"the condition is false": {
			"Conditions: {Never: !Equals [a, b]}\n" + strings.Replace(fn("", ""), "Metadata", "Condition: Never\n    Metadata", 1), samtemplate.NotBuilt, "",
		},
		"the condition is not known": {
			"Conditions: {Later: !Equals [!Ref AWS::StackName, b]}\n" + strings.Replace(fn("", complete), "Metadata", "Condition: Later\n    Metadata", 1), samtemplate.FromDockerfile, "",
		},
		"the code of a CloudFormation function is chosen": {
			"Resources:\n  Fn:\n    Type: AWS::Lambda::Function\n    Properties: {PackageType: Image, Code: {Fn::Transform: {Name: x}}}\n", samtemplate.FromRegistry, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			application := files{"fn.tar.gz": "", "/fn.tar": ""}
			template, err := samtemplate.Load(samtemplate.File{Name: "app/template.yaml", Data: []byte(test.template)}, application.options())
			if err != nil {
				t.Fatal(err)
			}
			f := function(t, template, "Fn")
			if f.Origin != test.want || f.Archive != test.archive || (f.Reason == "") != (f.Origin == samtemplate.FromDockerfile || f.Origin == samtemplate.FromArchive) {
				t.Errorf("got %s, archive %q, reason %q", f.Origin, f.Archive, f.Reason)
			}
		})
	}
}

// TestGlobals: a function has the properties of Globals, unless it has or ignores them itself.
func TestGlobals(t *testing.T) {
	t.Parallel()
	globals := "Globals:\n  Function: {Timeout: 9, MemorySize: 512, Architectures: [arm64], Environment: {Variables: {A: global, B: global}}}\n"
	for name, test := range map[string]struct{ template, want string }{
		"all of them":             {fn("", complete), "9 512 arm64 [{A global} {B global}]"},
		"some are its own":        {fn(", Timeout: 1, Environment: {Variables: {B: own, C: own}}", complete), "1 512 arm64 [{A global} {B own} {C own}]"},
		"its architecture":        {fn(", Architectures: [x86_64]", complete), "9 512 x86_64 [{A global} {B global}]"},
		"it ignores all":          {strings.Replace(fn("", complete), "Metadata", "IgnoreGlobals: '*'\n    Metadata", 1), "3 128 x86_64 []"},
		"it ignores some":         {strings.Replace(fn("", complete), "Metadata", "IgnoreGlobals: [Timeout, Environment]\n    Metadata", 1), "3 512 arm64 []"},
		"CloudFormation has none": {strings.Replace(fn("", complete), "Serverless", "Lambda", 1), "3 128 x86_64 []"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			template := mustLoad(t, globals+test.template, nil)
			f := function(t, template, "Fn")
			if got := fmt.Sprint(f.Timeout.N, f.MemorySize.N, f.Architecture, f.Environment); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if both := name == "its architecture"; (len(template.Warnings) > 0) != both {
				t.Errorf("got the warnings %v", template.Warnings)
			}
		})
	}
}

// TestWarnings are about what can be read, but is hardly meant.
func TestWarnings(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ template, want string }{
		"a Dockerfile without PackageType": {
			strings.Replace(fn("", complete), "PackageType: Image", "", 1),
			"template.yaml:5:28: Resources.Fn.Metadata.Dockerfile: the Dockerfile is not used: the function has no PackageType: Image",
		},
		"an image without PackageType": {
			strings.Replace(fn("ImageUri: a.b/c", ""), "PackageType: Image", "", 1),
			"template.yaml:4:28: Resources.Fn.Properties.ImageUri: ImageUri is not used: the function has no PackageType: Image",
		},
		"a tag that is a number": {
			fn("", complete+", DockerTag: 1.10"),
			"template.yaml:5:69: Resources.Fn.Metadata.DockerTag: the tag is a number, and SAM would write it in another way than 1.10: put it in quotes",
		},
		"properties that are not known yet": {
			"Resources:\n  Fn:\n    Type: AWS::Serverless::Function\n    Properties: {'Fn::Transform': {Name: AWS::Include}}\n",
			"template.yaml:4:17: Resources.Fn.Properties: Fn::Transform is not known before the stack is deployed: it is left out",
		},
		"an environment that is not known yet": {
			fn(", Environment: !If [Later, a, b]", complete), "template.yaml:4:51: Resources.Fn.Properties.Environment: Fn::If is not known before the stack is deployed: it is left out",
		},
		"a resource without a type": {
			fn("", complete) + "  Other: {Properties: {}}\n", "template.yaml:6:3: Resources.Other: the resource has no Type, and is not read",
		},
		"an empty resource": {fn("", complete) + "  Other:\n", "template.yaml:6:3: Resources.Other: the resource has no Type, and is not read"},
		"functions of a macro": {
			fn("", complete) + "  Fn::Transform: {Name: x}\n", "template.yaml:6:3: Resources.Fn::Transform: what Fn::Transform adds is not read: functions in it are not built",
		},
		"a remote stack": {
			fn("", complete) + "  Child: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: 'https://example.com/t'}}\n",
			"template.yaml:6:71: Resources.Child.Properties.TemplateURL: the functions of the nested stack are not built, because its template is not a local file",
		},
		"a stack whose template is not known": {
			fn("", complete) + "  Child: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: !GetAtt A.B}}\n",
			"template.yaml:6:71: Resources.Child.Properties.TemplateURL: the functions of the nested stack are not built, because its template is not known: Fn::GetAtt is not known before the stack is deployed",
		},
		"an application of the repository": {
			fn("", complete) + "  Child: {Type: AWS::Serverless::Application, Properties: {Location: {ApplicationId: a, SemanticVersion: 1.0.0}}}\n",
			"template.yaml:6:70: Resources.Child.Properties.Location: the application is one of the Serverless Application Repository: its functions are not built",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			warnings := mustLoad(t, test.template, nil).AllWarnings()
			if len(warnings) != 1 || warnings[0].Summary() != test.want {
				t.Errorf("got %v, want %s", warnings, test.want)
			}
		})
	}
}

// TestIsTemplate: a file with Resources is a template, whatever else is wrong with it.
func TestIsTemplate(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]bool{
		"Resources: {}": true, `{"Resources": {"A": {}}}`: true, "Resources: {A: !Ref B}": true,
		"kind: sam": false, "": false, "FROM scratch\n": false, "Resources": false, "a: {Resources: {}}": false, "[Resources]": false,
	} {
		if got := samtemplate.IsTemplate([]byte(file)); got != want {
			t.Errorf("%q: got %t", file, got)
		}
	}
}

// TestNames: what a function and its files are called elsewhere.
func TestNames(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ metadata, want string }{
		"by default":             {"DockerContext: ./App", "fn:latest App Fn"},
		"a tag and a name":       {"DockerContext: ./App, DockerTag: V1, DockerImage: My/App", "my/app:V1 App Fn"},
		"an absolute context":    {"DockerContext: /src/../app", "fn:latest /app Fn"},
		"a context of git":       {"DockerContext: 'https://example.com/a.git#main'", "fn:latest https://example.com/a.git#main Fn"},
		"an id of SAM":           {"DockerContext: ., SamResourceId: Hello", "fn:latest . Hello"},
		"an id of the CDK":       {"DockerContext: ., 'aws:cdk:path': Stack/Hello/Resource", "fn:latest . Hello"},
		"an argument of nothing": {"DockerContext: ., DockerBuildArgs: {A: }", "fn:latest . Fn"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := function(t, mustLoad(t, fn("", "Dockerfile: Dockerfile, "+test.metadata), nil), "Fn")
			if got := fmt.Sprint(f.LocalTag(), " ", f.ContextDir, " ", f.ResourceID); got != test.want || len(f.Args) > 0 {
				t.Errorf("got %s, %v; want %s", got, f.Args, test.want)
			}
			if d := f.Diagnostic(f.Context.At, "is missing"); d.Summary() != fmt.Sprintf("template.yaml:5:%d: Fn: is missing", f.Context.At.Column) {
				t.Errorf("got %s", d.Summary())
			}
		})
	}
}
