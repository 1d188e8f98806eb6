package samtemplate_test

import (
	"path"
	"strings"
	"testing"

	"github.com/samforge/samforge/samtemplate"
)

const withPaths = `Globals:
  Function: {CodeUri: ./zip/} # for all
Resources:
  Zip:
    Type: AWS::Serverless::Function
    Properties: &zip
      Runtime: python3.13
      CodeUri: ./zip # here
      Layers: [!Ref Layer]
  Again:
    Type: AWS::Serverless::Function
    Properties:
      <<: *zip
      Handler: app.handler
  Layer:
    Type: AWS::Serverless::LayerVersion
    Properties: {ContentUri: 'layer', LicenseInfo: ./MIT}
  Machine:
    Type: AWS::Serverless::StateMachine
    Properties:
      DefinitionUri:
        ./machine.json
  Remote:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: s3://bucket/key, Description: ./zip, Environment: {Variables: {Location: ./zip}}}
  Called:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: !Sub ./zip}
  Image:
    Type: AWS::Lambda::Function
    Properties:
      PackageType: Image
      Code: ./image
    Metadata: {Dockerfile: Dockerfile, DockerContext: ./image}
  Child:
    Type: AWS::Serverless::Application
    Properties: {Location: ./child.yaml}
  Other:
    Type: AWS::CloudFormation::Stack
    Properties: {TemplateURL: other.yaml}
    Metadata: {'aws:asset:path': asset.0123}
`

// TestRewriteMovesPaths: in a text that is written into another folder, paths lead to where they did.
func TestRewriteMovesPaths(t *testing.T) {
	t.Parallel()
	read := func(name string) (samtemplate.File, error) {
		return samtemplate.File{Name: name, Data: []byte("Resources: {}")}, nil
	}
	template, err := samtemplate.Load(samtemplate.File{Name: "template.yaml", Data: []byte(withPaths)}, samtemplate.Options{ReadTemplate: read})
	if err != nil {
		t.Fatal(err)
	}
	text, err := template.Rewrite(samtemplate.Edits{
		Images:    map[string]string{"Image": "image:latest"},
		Locations: map[string]string{"Child": "./written.yaml"},
		Moved: func(name string) (string, bool) {
			return path.Join("../..", name), samtemplate.IsLocal(name)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := strings.NewReplacer(
		"CodeUri: ./zip/}", `CodeUri: "../../zip"}`,
		"CodeUri: ./zip #", `CodeUri: "../../zip" #`,
		"'layer'", `"../../layer"`,
		"./machine.json", `"../../machine.json"`,
		"Code: ./image", `Code: {ImageUri: "image:latest"}`,
		"DockerContext: ./image", `DockerContext: "../../image"`,
		"./child.yaml", `"./written.yaml"`,
		"other.yaml", `"../../other.yaml"`,
		"asset.0123", `"../../asset.0123"`,
	).Replace(withPaths)
	if string(text) != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
}
