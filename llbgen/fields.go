package llbgen

import (
	"iter"
	"reflect"
	"slices"
	"strings"

	"github.com/samforge/samforge/source"
)

// What each key of the build file means. The JSON Schema, docs/build-file.md and the comments of
// `samforge init` are made from it.

// Field is a key of the build file.
type Field struct {
	// Path is where the key stands, with [] for an entry of a list: "runtimes[].image".
	Path string
	// Help says what the key means, in whole sentences.
	Help string
	// Type is the type of the value: "string", "list" or "mapping", with "or false" if false is
	// allowed too.
	Type string
	// Values are the allowed values; empty if any is allowed.
	Values []string
	// Default is the value if the key is missing; empty for none.
	Default string
	// Example is a value of a key without a default.
	Example string
	// Kinds are the kinds of images that have the key; empty if all have it.
	Kinds []string
	// Args are the build arguments that give or override the value.
	Args []string

	pattern string   // of a string, or of the strings of a mapping
	number  bool     // it may be a number in YAML, such as 1.10
	keys    []string // the allowed keys of a mapping
}

// Fields returns all keys of the build file, in the order of [File].
func Fields() []Field {
	byPath := map[string]Field{}
	for _, f := range commonFields() {
		byPath[f.Path] = f
	}
	for _, k := range kinds() {
		for _, f := range k.fields() {
			f.Kinds = append(byPath[f.Path].Kinds, k.name())
			byPath[f.Path] = f
		}
	}
	args := argsByPath()
	var fields []Field
	eachField("", reflect.TypeFor[File](), func(path string, t reflect.Type) {
		f := byPath[path]
		f.Path, f.Type, f.Args = path, typeName(t), args[path]
		fields = append(fields, f)
	})
	return fields
}

// sumPattern is a SHA-256 checksum in hexadecimal.
const sumPattern = `^(sha256:)?[0-9A-Fa-f]{64}$`

// commonFields are the rows for the keys that every kind has.
func commonFields() []Field { return slices.Concat(imageFields(), toolFields()) }

// imageFields are about the images that a build file names.
func imageFields() []Field {
	return []Field{
		{
			Path: "kind", Values: KindNames(),
			Help: kindsHelp(),
		},
		{Path: "plugin", Help: "The plugin that the images run."},
		{
			Path: "plugin.image", Example: "harness/aws-sam-plugin:1.1.2-beta-base-image", pattern: imagePattern(),
			Help: "The vendor's image that the plugin's files are copied from.",
		},
		{
			Path: "plugin.version", Example: "1.1.2-beta", pattern: tagPart.String(), number: true,
			Help: "The version that every tag carries.",
		},
		{
			Path: "repo", Example: "registry.example.com/ci/plugin", pattern: repositoryPattern(),
			Help: "The repository that the images are tagged in, without a tag. A push needs it, or --tag.",
		},
		{Path: "runtimes", Help: "The base images. Each is a target of its own."},
		{
			Path: "runtimes[].image", Example: "public.ecr.aws/sam/build-python3.12:1.143.0-20250822194415", pattern: imagePattern(),
			Help: "A base image. A tag that ends in -x86_64 or -arm64 has one architecture, any other tag has both.",
		},
		{
			Path: "runtimes[].name", Example: "python3.12", pattern: runtimePattern.String(),
			Help: "The name of the runtime, if the image reference does not contain it.",
		},
		{
			Path: "runtimes[].samVersion", Example: "1.143.0", pattern: tagPart.String(), number: true,
			Help: "The version of the SAM CLI in the base image, if the image reference does not contain it.",
		},
	}
}

// toolFields are about the programs that every image has, and what is the same for all images.
func toolFields() []Field {
	return []Field{
		{Path: "docker", Help: "Where the Docker CLI comes from: the official image of a version, another image, or a static archive. false leaves it out."},
		{
			Path: "docker.version", Default: DefaultDockerVersion, pattern: tagPart.String(), number: true,
			Help: "The version of the Docker CLI, taken from docker.io/library/docker:VERSION-cli.",
		},
		{
			Path: "docker.image", Example: "registry.example.com/tools/docker:28.5.2-cli", pattern: imagePattern(),
			Help: "Another image to take /usr/local/bin/docker from.",
		},
		{
			Path: "docker.archive", Example: "https://download.docker.com/linux/static/stable/{{.Machine}}/docker-{{.Version}}.tgz", pattern: urlPattern,
			Help: "The URL of a static archive. {{.Version}} stands for the version, {{.Arch}} for amd64 or arm64, {{.Machine}} for x86_64 or aarch64.",
		},
		{
			Path: "docker.sha256", pattern: sumPattern, keys: architectures(),
			Help: "The SHA-256 checksum of the archive for each architecture, amd64 and arm64.",
		},
		{Path: "goTemplate", Help: "Which go-template binary is downloaded. false leaves it out."},
		{
			Path: "goTemplate.version", Default: DefaultGoTemplateVersion, pattern: tagPart.String(), number: true,
			Help: "The version of go-template.",
		},
		{
			Path: "goTemplate.sha256", pattern: sumPattern, keys: architectures(),
			Help: "The SHA-256 checksum of the binary for each architecture, amd64 and arm64.",
		},
		{
			Path: "mirrors", Example: "public.ecr.aws: mirror.example.com/ecr",
			Help: "Where to fetch from instead: a registry for a registry, a URL prefix for a URL prefix. The longest match wins.",
		},
		{
			Path: "labels", Example: "org.opencontainers.image.vendor: Example", number: true,
			Help: "Labels that every image gets.",
		},
	}
}

// kindsHelp says what each kind is for.
func kindsHelp() string {
	var clauses []string
	for _, k := range kinds() {
		clauses = append(clauses, k.name()+" is "+k.help())
	}
	return "What the images are for: " + strings.Join(clauses, ", ") + "."
}

// eachField calls fn for each key below t, parents first, in their order.
func eachField(path string, t reflect.Type, fn func(path string, t reflect.Type)) {
	switch t.Kind() {
	case reflect.Slice:
		eachField(path+"[]", t.Elem(), fn)
	case reflect.Struct:
		for key, field := range keysOf(t) {
			fn(source.Join(path, key), field)
			eachField(source.Join(path, key), field, fn)
		}
	}
}

// keysOf yields the keys of a struct, each with the type of its field.
func keysOf(t reflect.Type) iter.Seq2[string, reflect.Type] {
	return func(yield func(string, reflect.Type) bool) {
		for i := range t.NumField() {
			switch name := t.Field(i).Tag.Get("yaml"); name {
			case "-":
			case ",inline": // the sections of the kinds
				for key, section := range sectionTypes {
					if !yield(key, section) {
						return
					}
				}
			default:
				if !yield(name, t.Field(i).Type) {
					return
				}
			}
		}
	}
}

// typeName names the type that the decoder expects.
func typeName(t reflect.Type) string {
	name := map[reflect.Kind]string{
		reflect.String: "string", reflect.Slice: "list", reflect.Map: "mapping", reflect.Struct: "mapping",
	}[t.Kind()]
	if canDisable(t) {
		name += " or false"
	}
	return name
}

func canDisable(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[source.Switchable]())
}

// argsByPath maps each key to the names of the build arguments that set it. It finds out by setting
// them.
func argsByPath() map[string][]string {
	args := map[string][]string{}
	for _, v := range Variables() {
		file := newFile()
		path := strings.ReplaceAll(v.set(&file, ""), "[0]", "[]")
		args[path] = append(args[path], v.Name)
	}
	return args
}
