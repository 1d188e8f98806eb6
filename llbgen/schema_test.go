package llbgen_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"github.com/samforge/samforge/llbgen"
)

// compiledSchema is the schema of the build file, compiled by an independent library.
var compiledSchema = sync.OnceValues(func() (*jsonschema.Schema, error) {
	text, err := llbgen.Schema()
	if err != nil {
		return nil, err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource(llbgen.SchemaURL, doc); err != nil {
		return nil, err
	}
	return compiler.Compile(llbgen.SchemaURL)
})

// againstSchema returns what the schema finds wrong in a build file. It does not apply to a file
// that is empty or not YAML.
func againstSchema(t *testing.T, file []byte) error {
	t.Helper()
	schema, err := compiledSchema()
	if err != nil {
		t.Fatal(err)
	}
	var content any
	if err := yaml.Load(file, &content, yaml.WithV4Defaults()); err != nil || content == nil {
		return nil
	}
	asJSON, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(value)
}

// TestSchemaGolden: docs/samforge.schema.json is the schema that the code makes.
func TestSchemaGolden(t *testing.T) {
	t.Parallel()
	got, err := llbgen.Schema()
	if err != nil {
		t.Fatal(err)
	}
	goldenFile(t, filepath.Join("..", "docs", "samforge.schema.json"), string(got))
}

func TestSchemaAcceptsTheExamples(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../examples/*/*.yaml")
	files = slices.DeleteFunc(files, func(name string) bool { // other files than build files
		dir := filepath.Base(filepath.Dir(name))
		return dir == "ci" || dir == "application"
	})
	if err != nil || len(files) < 4 {
		t.Fatalf("the examples are %v: %v", files, err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := againstSchema(t, data); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSchemaRefusesMistakes: the schema finds what Load finds, except what depends on several
// values, is missing, or is not about values at all.
func TestSchemaRefusesMistakes(t *testing.T) {
	t.Parallel()
	unseen := []string{
		"a quote is not closed", "a tab indents", "a value holds a colon", "an alias has no anchor", "the file holds two documents", "the file is not UTF-8",
		"a key stands twice", "a label stands twice", "a merge key", "a key is a list",
		"the file is empty", "the file has a comment only", "nothing but the kind is given", "null is as good as nothing", "a runtime has no image",
		"docker comes from an image and an archive", "a docker image has a checksum",
		"the docker archive uses a version that is missing", "the docker archive uses an unknown field", "the docker archive loops",
		"a list has more entries than anyone has images", "a mirror for no registry", "two mirrors for one registry", "a value has a tag of another program", "a mapping has a tag of another program", "a mirror that is no registry", "a mirror is for the web site of Docker Hub",
		"the docker archive has a password in its address", "a mirror of the npm registry has a token in its address",
	}
	for _, mistake := range mistakes() {
		t.Run(mistake.name, func(t *testing.T) {
			t.Parallel()
			err := againstSchema(t, []byte(mistake.file))
			if unseen := slices.Contains(unseen, mistake.name); (err == nil) != unseen {
				t.Errorf("the schema says: %v", err)
			}
		})
	}
}

// TestSchemaNamesThePlace has a row for each kind of rule in the schema.
func TestSchemaNamesThePlace(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, file, want string }{
		{"a key of kind serverless in a SAM file", buildFile + "serverless: {version: 3.40.0}\n", "at '/serverless': false schema"},
		{"a node image in a SAM file", buildFile + "    node: public.ecr.aws/sam/build-nodejs20.x:1.142.1\n", "at '/runtimes/0/node': false schema"},
		{"a key that is misspelt", buildFile + "dokcer: false\n", "additional properties 'dokcer' not allowed"},
		{"a layout that there is not", serverlessFile("python3.12", "nodejs20.x", "node: {layout: mixed}\n"), "at '/node/layout': value must be one of 'merged', 'isolated'"},
		{"a flavor that there is not", strings.Replace(serverlessFile("python3.12", "nodejs20.x", ""), "version: 3.39.0", "flavor: slss", 1), "at '/serverless/flavor': value must be one of 'serverless', 'osls'"},
		{"a range of versions", strings.Replace(serverlessFile("python3.12", "nodejs20.x", ""), "version: 3.39.0", "version: ^3.39.0", 1), "at '/serverless/version'"},
		{"an image that is a URL", buildFile + "docker: {image: 'https://docker.io/docker'}\n", "at '/docker/image'"},
		{"a repository with a digest", strings.Replace(buildFile, "ci/aws-sam-plugin\n", "ci/plugin@sha256:"+strings.Repeat("a1", 32)+"\n", 1), "at '/repo'"},
		{"a runtime with a space", buildFile + "    name: python 3\n", "at '/runtimes/0/name'"},
		{"a checksum of an unknown architecture", buildFile + "docker: {archive: 'https://a/b', sha256: {s390x: a}}\n", "at '/docker/sha256'"},
		{"a URL prefix that is mirrored by a registry", buildFile + "mirrors: {'https://app.harness.io/': mirror.example.com}\n", "at '/mirrors/https:~1~1app.harness.io~1'"},
		{"docker as a word", buildFile + "docker: none\n", "at '/docker': got string, want"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if _, err := llbgen.Load("samforge.yaml", []byte(test.file), nil); err == nil {
				t.Error("it loads without a mistake")
			}
			if err := againstSchema(t, []byte(test.file)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the schema says %v, want %s", err, test.want)
			}
		})
	}
}

func TestSchemaAcceptsOtherWaysToWriteIt(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]string{
		"a digest":                    strings.Replace(buildFile, "1.1.2-beta-base-image", "1.1.2@sha256:"+strings.Repeat("0f", 32), 1),
		"a registry with a port":      strings.Replace(buildFile, "repo: registry.example.com", "repo: localhost:5000", 1),
		"an IPv6 registry":            strings.Replace(buildFile, "repo: registry.example.com", "repo: '[::1]:5000'", 1),
		"a sum with its name":         buildFile + "goTemplate: {sha256: {arm64: 'sha256:" + strings.Repeat("A1", 32) + "'}}\n",
		"labels of any kind":          buildFile + "labels: {a: 1, b: 1.50, c: true, d: , e: text}\n",
		"no kind, which --kind gives": strings.Replace(buildFile, "kind: sam\n", "", 1),
	} {
		if err := againstSchema(t, []byte(file)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// JSON Schema has JavaScript's regular expressions, in Unicode mode: no classes such as
// [[:alpha:]], no flags, no \A and \z.
func TestSchemaPatternsAreJavaScript(t *testing.T) {
	t.Parallel()
	text, err := llbgen.Schema()
	if err != nil {
		t.Fatal(err)
	}
	patterns := regexp.MustCompile(`"pattern": (".*")`).FindAllSubmatch(text, -1)
	if len(patterns) < 10 {
		t.Fatalf("found %d patterns", len(patterns))
	}
	for _, match := range patterns {
		var pattern string
		if err := json.Unmarshal(match[1], &pattern); err != nil {
			t.Fatal(err)
		}
		if foreign := regexp.MustCompile(`\[:[a-z]+:\]|\(\?[imsU-]|\\[AzQEpPC]`).FindString(pattern); foreign != "" {
			t.Errorf("JavaScript does not know %s in %s", foreign, pattern)
		}
	}
}
