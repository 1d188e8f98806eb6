// Package samtemplate reads the templates of serverless applications, and writes the images of
// their functions into them.
//
// A template is AWS SAM's or CloudFormation's, in YAML or JSON, or one that the AWS CDK has
// synthesized. [Load] resolves its intrinsic functions and follows its nested stacks. The
// [Template] that it returns lists each [Function] whose code is a container image, with the place
// of every setting. [Template.Rewrite] returns the template's text with an ImageUri for each of
// them, and leaves every other byte as it is.
//
// The package is pure: what needs I/O comes in as a function of [Options].
//
// Read load.go first, then function.go. The formats are specified here:
//   - https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification.html
//   - https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html
package samtemplate
