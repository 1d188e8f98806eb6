package packaging

import (
	"crypto/md5"
	"encoding/hex"
	"path/filepath"
	"strings"

	"github.com/samforge/samforge/internal/registry"
)

// StackName returns the name of a stack that `sam package` makes up for a template.
func StackName(template string) string {
	base := filepath.Base(template)
	return "sam-app-" + strings.TrimSuffix(base, filepath.Ext(base))
}

// RepositoryName returns the name of the repository that `--resolve-image-repos` of SAM CLI makes for
// a function of a stack. It is the same for both, so that images stay where they are.
//
// https://github.com/aws/aws-sam-cli/blob/develop/samcli/lib/bootstrap/companion_stack/data_types.py
func RepositoryName(stack, function string) string {
	return alphanumeric(stack) + shortMD5(stack) + "/" + alphanumeric(function) + shortMD5(function) + "repo"
}

// alphanumeric returns the letters and digits of a name, in lower case.
func alphanumeric(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(name))
}

// shortMD5 keeps apart the names that alphanumeric makes equal.
func shortMD5(name string) string {
	sum := md5.Sum([]byte(name))
	return hex.EncodeToString(sum[:])[:8]
}

// FunctionRepository returns the settings of a repository for a function. As in SAM CLI's, Lambda may
// pull from it. A policy that the repository has is kept.
func FunctionRepository() registry.RepositorySettings {
	return registry.RepositorySettings{KeepPolicy: true, Policy: `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "AllowLambdaSLR",
      "Effect": "Allow",
      "Principal": {"Service": ["lambda.amazonaws.com"]},
      "Action": ["ecr:GetDownloadUrlForLayer", "ecr:GetRepositoryPolicy", "ecr:BatchGetImage"]
    }
  ]
}`}
}
