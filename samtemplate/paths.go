package samtemplate

import (
	"path"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/samforge/samforge/source"
)

// pathKeys are the keys whose values can be paths that are relative to the template: those of `aws
// cloudformation package`, and the ones that say how a function is built, by SAM and by the CDK.
//
// https://docs.aws.amazon.com/cli/latest/reference/cloudformation/package.html
var pathKeys = map[string]bool{
	"BodyS3Location": true, "Code": true, "CodeS3Location": true, "CodeUri": true, "Content": true, "ContentUri": true,
	"DefinitionS3Location": true, "DefinitionUri": true, "DockerContext": true, "ImageUri": true, "LicenseUrl": true, "Location": true,
	"ReadmeUrl": true, "RequestMappingTemplateS3Location": true, "ResponseMappingTemplateS3Location": true,
	"SchemaUri": true, "ScriptLocation": true, "SourceBundle": true, "TemplateURL": true, "aws:asset:path": true,
}

// pathSections are the sections of a template that can have paths.
var pathSections = []string{"Globals", "Metadata", "Resources"}

// movePaths sets the paths that moved returns another path for.
func (w *rewriter) movePaths(moved func(path string) (string, bool)) {
	texts := map[*yaml.Node]string{} // of the values that are replaced
	for _, name := range pathSections {
		if _, section := w.child(w.template.root.Node, name); section != nil {
			w.movePathsIn(section, moved, texts)
		}
	}
	if len(texts) > 0 {
		w.expect(w.template.root, nil, texts)
	}
}

// ownNames are keys below which the names are the user's own.
var ownNames = map[string]bool{"Environment": true, "Parameters": true, "Tags": true}

// movePathsIn replaces the paths that are written below a node.
func (w *rewriter) movePathsIn(node *yaml.Node, moved func(path string) (string, bool), texts map[*yaml.Node]string) {
	if isFunction(node) {
		return
	}
	if node.Kind == yaml.SequenceNode {
		for _, item := range node.Content {
			w.movePathsIn(item, moved, texts)
		}
	}
	if node.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if ownNames[key.Value] {
			continue
		}
		if !pathKeys[key.Value] || value.Kind != yaml.ScalarNode || value.Tag != "!!str" || w.replaced[value] {
			w.movePathsIn(value, moved, texts)
			continue
		}
		text, ok := moved(value.Value)
		if !ok || text == value.Value {
			continue
		}
		if err := w.replace(node, key, value, w.scalar(text, isFlow(node))); err != nil {
			w.mistakes = append(w.mistakes, w.template.doc.Diagnostic(source.Position{Line: value.Line, Column: value.Column}, "", "cannot set the path of %s: %v", key.Value, err))
			continue
		}
		texts[value] = text
	}
}

// isFunction reports whether a node is an intrinsic function but a loop.
func isFunction(node *yaml.Node) bool {
	if node.Kind != yaml.MappingNode {
		return strings.HasPrefix(node.Tag, "!") && !strings.HasPrefix(node.Tag, "!!")
	}
	return !isPlainMapping(node) && !strings.HasPrefix(node.Content[0].Value, loopPrefix)
}

// expect notes the new texts wherever the template has them, also through an anchor or a merge key.
func (w *rewriter) expect(v source.Value, keys []string, texts map[*yaml.Node]string) {
	if text, ok := texts[v.Node]; ok {
		w.want.add(keys, text)
		return
	}
	for name, value := range entriesOf(v) {
		w.expect(value, append(keys[:len(keys):len(keys)], name), texts)
	}
	if v.Node.Kind == yaml.SequenceNode {
		for i, item := range itemsOf(v) {
			w.expect(item, append(keys[:len(keys):len(keys)], strconv.Itoa(i)), texts)
		}
	}
}

// IsLocal reports whether the value of a property that can be a path is one that is relative to the
// template, and no address.
func IsLocal(value string) bool {
	return value != "" && !path.IsAbs(value) && !strings.Contains(value, "://")
}
