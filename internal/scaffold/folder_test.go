package scaffold_test

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/samforge/samforge/internal/scaffold"
)

// folder makes a folder with some files.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const service = `service: orders
frameworkVersion: '3.39.0'
provider:
  name: aws
  runtime: python3.13
  environment: {TABLE: !Ref Table}
functions:
  order: {handler: order.handler}
  picture: {handler: picture.handler, runtime: nodejs22.x}
  again: {handler: again.handler, runtime: python3.13}
resources:
  Resources: {Table: {Type: 'AWS::DynamoDB::Table'}}
`

func TestFind(t *testing.T) {
	t.Parallel()
	serverless := func(file string, runtimes []string, flavor, version, from string) scaffold.Found {
		return scaffold.Found{
			Kind: "serverless", File: file, Runtimes: runtimes, FrameworkFile: from,
			Framework: scaffold.Framework{Flavor: flavor, Version: version},
		}
	}
	for name, test := range map[string]struct {
		files map[string]string
		want  []scaffold.Found
		notes string // in one of the notes
	}{
		"nothing": {},
		"a configuration in YAML": {
			files: map[string]string{"serverless.yml": service},
			want:  []scaffold.Found{serverless("serverless.yml", []string{"python3.13", "nodejs22.x"}, "", "3.39.0", "serverless.yml")},
		},
		"a configuration in JSON": {
			files: map[string]string{"serverless.json": `{"provider": {"name": "aws", "runtime": "java21"}, "functions": {}}`},
			want:  []scaffold.Found{serverless("serverless.json", []string{"java21"}, "", "", "")},
		},
		"the first of two, as the framework reads them": {
			files: map[string]string{"serverless.yaml": "provider: aws\n", "serverless.yml": "provider: {name: aws, runtime: java21}\n"},
			want:  []scaffold.Found{serverless("serverless.yml", []string{"java21"}, "", "", "")},
		},
		"functions in several files, and in this one": {
			files: map[string]string{"serverless.yaml": "provider: aws\nfunctions:\n  - ${file(a.yml)}\n  - b: {runtime: ruby3.3}\n"},
			want:  []scaffold.Found{serverless("serverless.yaml", []string{"ruby3.3"}, "", "", "")},
		},
		"a merge key and an anchor": {
			files: map[string]string{"serverless.yml": "x: &x {runtime: java21}\nprovider: {name: aws}\nfunctions: {a: {<<: *x}}\n"},
			want:  []scaffold.Found{serverless("serverless.yml", []string{"java21"}, "", "", "")},
		},
		"a program": {
			files: map[string]string{"serverless.ts": "module.exports = {}", "package.json": `{"devDependencies": {"serverless": "4.17.1"}}`},
			want:  []scaffold.Found{serverless("serverless.ts", nil, "", "4.17.1", "package.json")},
			notes: "serverless.ts: it is a program, which samforge does not run: name the runtimes with --runtime",
		},
		"a variable": {
			files: map[string]string{"serverless.yml": "provider: {name: aws, runtime: '${param:runtime}'}\n"},
			want:  []scaffold.Found{serverless("serverless.yml", nil, "", "", "")},
			notes: "serverless.yml: provider.runtime is ${param:runtime}, a variable of the framework: name the runtime with --runtime",
		},
		"a runtime without an image": {
			files: map[string]string{"serverless.yml": "provider: {name: aws}\nfunctions: {old: {runtime: cobol85}}\n"},
			want:  []scaffold.Found{serverless("serverless.yml", nil, "", "", "")},
			notes: `serverless.yml: functions.old.runtime is "cobol85", for which there is no SAM build image`,
		},
		"a range": {
			files: map[string]string{"serverless.yml": "frameworkVersion: ^3.38.0\nprovider: aws\n"},
			want:  []scaffold.Found{serverless("serverless.yml", nil, "", "", "")},
			notes: "serverless.yml: frameworkVersion is ^3.38.0, which is no exact version: set serverless.version in the build file, or keep the default",
		},
		"a range, and what npm chose": {
			files: map[string]string{
				"serverless.yml": "frameworkVersion: '3'\nprovider: aws\n", "package.json": `{"devDependencies": {"serverless": "^3.38.0"}}`,
				"package-lock.json": `{"packages": {"": {}, "node_modules/serverless": {"version": "3.40.0"}}}`,
			},
			want: []scaffold.Found{serverless("serverless.yml", nil, "", "3.40.0", "package-lock.json")},
		},
		"the fork of the framework, and no configuration": {
			files: map[string]string{"package.json": `{"dependencies": {"osls": "3.77.1"}}`},
			want:  []scaffold.Found{serverless("package.json", nil, "osls", "3.77.1", "package.json")},
		},
		"the AWS CDK": {
			files: map[string]string{"cdk.json": `{"app": "npx ts-node app.ts"}`, "package.json": `{"devDependencies": {"aws-cdk": "2.1148.1"}}`},
			want:  []scaffold.Found{{Kind: "cdk", File: "cdk.json", Framework: scaffold.Framework{Version: "2.1148.1"}, FrameworkFile: "package.json"}},
		},
		"the framework and the AWS CDK": {
			files: map[string]string{"cdk.json": `{}`, "serverless.yml": "provider: aws\n"},
			want:  []scaffold.Found{serverless("serverless.yml", nil, "", "", ""), {Kind: "cdk", File: "cdk.json"}},
		},
		"another cloud":               {files: map[string]string{"serverless.yml": "provider: {name: google, runtime: nodejs20}\n"}},
		"packages for something else": {files: map[string]string{"package.json": `{"dependencies": {"left-pad": "1.3.0"}}`}},
		"no package.json":             {files: map[string]string{"package.json": `["serverless"]`}},
		"a file that is no YAML": {
			files: map[string]string{"serverless.yml": "provider: {name: aws\n"},
			want:  []scaffold.Found{serverless("serverless.yml", nil, "", "", "")},
			notes: "serverless.yml:2:1: cannot read the YAML: ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := scaffold.Find(folder(t, test.files))
			if err != nil {
				t.Fatal(err)
			}
			var notes []string
			for i := range got {
				notes = append(notes, got[i].Notes...)
				got[i] = scaffold.Found{Kind: got[i].Kind, File: got[i].File, Runtimes: got[i].Runtimes, Framework: got[i].Framework, FrameworkFile: got[i].FrameworkFile}
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
			if (test.notes == "") != (len(notes) == 0) || test.notes != "" && !slices.ContainsFunc(notes, func(n string) bool { return strings.HasPrefix(n, test.notes) }) {
				t.Errorf("the notes are %q, want %q", notes, test.notes)
			}
		})
	}
}
