package catalogue

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/distribution/reference"
)

// A node image is what Node.js is copied from: a SAM build image, or AWS Lambda's own base image,
// which the SAM image is built on. Both have the same /var/lang, as
// https://github.com/aws/aws-sam-build-images adds nothing there.

// NodeReference is what the reference of a node image says.
type NodeReference struct {
	// Runtime is the Lambda runtime of the image, such as nodejs22.x.
	Runtime string
	// Lambda is set for Lambda's own base image, and SAM for a SAM build image.
	Lambda, SAM bool
	// Build is set if the tag names one build of the image.
	Build bool
}

// ParseNodeReference reads the reference of a node image. An error says why the runtime cannot be
// read.
func ParseNodeReference(ref string) (NodeReference, error) {
	named, err := ParseReference(ref)
	if err != nil {
		return NodeReference{}, err
	}
	if language := LambdaLanguage(named); language != "" {
		tag := ""
		if tagged, ok := named.(reference.Tagged); ok {
			tag = tagged.Tag()
		}
		return parseLambdaTag(language, tag)
	}
	sam, _ := ParseSAMReference(ref) // the runtime is enough here, the tag may say anything
	node := NodeReference{Runtime: sam.Runtime, SAM: sam.Runtime != "", Build: sam.Timestamp != ""}
	if node.Runtime == "" {
		return node, fmt.Errorf("its name is neither that of a SAM image, such as sam/build-nodejs22.x, nor that of a Lambda base image, such as lambda/nodejs:22")
	}
	return node, nil
}

// lambdaImage is the end of the repository of a Lambda base image: lambda/nodejs in AWS's gallery,
// aws-lambda-nodejs on Docker Hub, and lambda-nodejs in a mirror that flattens paths.
var lambdaImage = regexp.MustCompile(`(?:^|[/-])lambda[/-](nodejs|python|java|ruby|dotnet|go|provided)$`)

// LambdaLanguage returns the language of a Lambda base image; empty for any other image.
func LambdaLanguage(named reference.Named) string {
	if m := lambdaImage.FindStringSubmatch(reference.Path(named)); m != nil {
		return m[1]
	}
	return ""
}

// lambdaTag matches the tag of a Lambda base image. Each form may end in the name of an
// architecture: https://gallery.ecr.aws/lambda/nodejs
//
//	22                  moves when AWS builds the image again
//	22.2025.08.04.11    one build: year, month, day, hour
//	26-preview          a runtime that is not released yet
var lambdaTag = regexp.MustCompile(`^(\d{1,3}(?:\.\d{1,3})?|al2|al2023)(\.\d{4}\.\d{2}\.\d{2}\.\d{2})?(?:-preview)?(?:-x86_64|-arm64)?$`)

// parseLambdaTag reads the tag of a Lambda base image.
func parseLambdaTag(language, tag string) (NodeReference, error) {
	node := NodeReference{Lambda: true}
	m := lambdaTag.FindStringSubmatch(tag)
	switch {
	case m != nil && language == "nodejs":
		node.Runtime = language + m[1] + ".x"
	case m != nil:
		node.Runtime = language + m[1]
	case language == "nodejs":
		return node, fmt.Errorf("its tag does not name a version of Node.js, as 22 and 22.2025.08.04.11 do")
	default:
		node.Runtime = language // this is enough to know that it has no Node.js
		return node, nil
	}
	node.Build = m[2] != ""
	return node, nil
}

// IsNode reports whether the image has Node.js, as far as its name says.
func (r NodeReference) IsNode() bool { return strings.HasPrefix(r.Runtime, "nodejs") }

// lambdaRelease matches the tag of a Lambda base image of any language, as lambdaTag does for those
// that may have Node.js. The version may name a generation of the operating system: 8.al2.
var lambdaRelease = regexp.MustCompile(`^((?:core)?\d{1,3}(?:\.\d{1,3})?)?(?:(?:^|\.)(alami|al2023|al2))?(?:\.\d{4}\.\d{2}\.\d{2}\.\d{2})?(?:-preview)?(?:-x86_64|-arm64)?$`)

// ImageRuntime returns the name of the runtime that a Lambda base image or a SAM build image has,
// such as java8.al2 for lambda/java:8.al2; empty for any other image, and for a tag that does not
// say it.
func ImageRuntime(named reference.Named) string {
	language := LambdaLanguage(named)
	if language == "" {
		return runtimeOf(named)
	}
	tagged, ok := named.(reference.Tagged)
	if !ok {
		return ""
	}
	m := lambdaRelease.FindStringSubmatch(tagged.Tag())
	switch {
	case m == nil || m[1] == "" && m[2] == "":
		return ""
	case language == "provided":
		return strings.TrimSuffix("provided."+m[2], ".alami")
	case language == "nodejs" || language == "go":
		return language + m[1] + ".x"
	case m[2] != "":
		return language + m[1] + "." + m[2]
	}
	return language + m[1]
}
