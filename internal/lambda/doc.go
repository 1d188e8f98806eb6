// Package lambda knows what AWS Lambda accepts as the image of a function.
//
// [Check] judges an image over its manifest and its config, and over what the function sets. The
// package is pure: what it needs from a registry or a builder comes in as bytes, or as a function.
//
// AWS documents most of the rules:
//   - https://docs.aws.amazon.com/lambda/latest/dg/images-create.html (requirements, image types,
//     image settings)
//   - https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html (quotas)
//
// docs/lambda.md explains each rule to the user.
package lambda
