package samtemplate_test

import (
	"fmt"
	"strings"

	"github.com/samforge/samforge/samtemplate"
)

func ExampleLoad() {
	template, err := samtemplate.Load(samtemplate.File{Name: "template.yaml", Data: []byte(`
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: {Type: String, Default: dev}
Resources:
  HelloWorldFunction:
    Type: AWS::Serverless::Function
    Properties:
      PackageType: Image
    Metadata:
      Dockerfile: Dockerfile
      DockerContext: ./hello-world
      DockerTag: !Sub ${Stage}-1.10
`)}, samtemplate.Options{Parameters: map[string]string{"Stage": "prod"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range template.Functions {
		fmt.Println(f.Path, f.Platform(), f.ContextDir, f.Dockerfile, f.LocalTag())
	}
	text, err := template.Rewrite(samtemplate.Edits{Images: map[string]string{"HelloWorldFunction": "localhost:5000/demo:v1"}})
	_, end, _ := strings.Cut(string(text), "Properties:\n")
	fmt.Print(err, "\n", end)
	// Output:
	// HelloWorldFunction linux/amd64 hello-world Dockerfile helloworldfunction:prod-1.10
	// <nil>
	//       ImageUri: localhost:5000/demo:v1
	//       PackageType: Image
	//     Metadata:
	//       Dockerfile: Dockerfile
	//       DockerContext: ./hello-world
	//       DockerTag: !Sub ${Stage}-1.10
}
