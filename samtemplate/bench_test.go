package samtemplate_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/samforge/samforge/samtemplate"
)

// thousand is a template with 1,000 functions.
func thousand() []byte {
	var b strings.Builder
	b.WriteString("Transform: AWS::Serverless-2016-10-31\nParameters:\n  Stage: {Type: String, Default: dev}\nGlobals:\n  Function:\n    Timeout: 3\n    Environment: {Variables: {STAGE: !Ref Stage}}\nResources:\n")
	for n := range 1000 {
		fmt.Fprintf(&b, `  Function%d:
    Type: AWS::Serverless::Function
    Properties:
      PackageType: Image
      Events:
        Api:
          Type: Api
          Properties: {Path: /f%d, Method: get}
    Metadata:
      Dockerfile: Dockerfile
      DockerContext: ./functions/f%d
      DockerTag: !Sub ${Stage}-v1
      DockerBuildArgs: {NUMBER: %d}
`, n, n, n, n)
	}
	return []byte(b.String())
}

func BenchmarkLoadThousandFunctions(b *testing.B) {
	data := thousand()
	for b.Loop() {
		template, err := samtemplate.Load(samtemplate.File{Name: "template.yaml", Data: data}, samtemplate.Options{})
		if err != nil || len(template.Functions) != 1000 {
			b.Fatal(err)
		}
	}
}

func BenchmarkRewriteThousandFunctions(b *testing.B) {
	template, err := samtemplate.Load(samtemplate.File{Name: "template.yaml", Data: thousand()}, samtemplate.Options{})
	if err != nil {
		b.Fatal(err)
	}
	edits := images(template)
	for b.Loop() {
		if _, err := template.Rewrite(edits); err != nil {
			b.Fatal(err)
		}
	}
}
