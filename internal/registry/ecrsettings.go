package registry

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

// RepositorySettings are what a repository on Amazon ECR is created with, and its policies. The zero
// value leaves everything to ECR.
type RepositorySettings struct {
	// ScanOnPush scans every image that is pushed.
	ScanOnPush bool
	// TagMutability is MUTABLE or IMMUTABLE, and Except are wildcards, such as dev-*, of the tags that
	// are the other.
	TagMutability string
	Except        []string
	// Encryption is AES256, KMS or KMS_DSSE, and KMSKey is the key for the last two; if it is empty,
	// AWS's own.
	Encryption, KMSKey string
	// Tags are those of the repository, as AWS has them for every resource.
	Tags map[string]string
	// LifecyclePolicy and Policy are JSON. They are set on a repository that exists, too.
	LifecyclePolicy, Policy string
	// KeepPolicy leaves the policy of a repository that has one.
	KeepPolicy bool
}

// Check returns a [*CloudError] for settings that AWS would refuse, or misunderstand.
func (s RepositorySettings) Check() error {
	for _, value := range []struct {
		name, text string
		known      []string
	}{
		{"the tag mutability", s.TagMutability, []string{string(types.ImageTagMutabilityMutable), string(types.ImageTagMutabilityImmutable)}},
		{"the encryption", s.Encryption, texts(types.EncryptionType("").Values())},
	} {
		if value.text != "" && !slices.Contains(value.known, value.text) {
			return mistake("%s of a repository is %.200q: use %s", value.name, value.text, strings.Join(value.known, " or "))
		}
	}
	for name, text := range map[string]string{"lifecycle policy": s.LifecyclePolicy, "repository policy": s.Policy} {
		if err := checkJSON(text); err != nil {
			return &CloudError{Sentence: "the " + name + " is no JSON object", Input: true, Err: err}
		}
	}
	switch {
	case len(s.Except) > 0 && s.TagMutability == "":
		return mistake("some tags are an exception to the tag mutability of a repository, which is not given: use MUTABLE or IMMUTABLE")
	case s.KMSKey != "" && (s.Encryption == "" || s.Encryption == string(types.EncryptionTypeAes256)):
		return mistake("a repository has a KMS key only with the encryption KMS or KMS_DSSE: set it, or leave the key out")
	}
	return nil
}

// checkPublic refuses settings that ECR Public does not have.
func (s RepositorySettings) checkPublic() error {
	for name, given := range map[string]bool{
		"scan on push": s.ScanOnPush, "tag mutability": s.TagMutability != "", "encryption": s.Encryption != "", "lifecycle policy": s.LifecyclePolicy != "",
	} {
		if given {
			return mistake("the repositories of %s have no setting for %s: leave it out", publicECR, name)
		}
	}
	return nil
}

func checkJSON(text string) error {
	if text == "" {
		return nil
	}
	var object map[string]any
	return json.Unmarshal([]byte(text), &object)
}

// input returns the request that creates a repository.
func (s RepositorySettings) input(repo repository) *ecr.CreateRepositoryInput {
	input := &ecr.CreateRepositoryInput{
		RepositoryName:     &repo.name,
		RegistryId:         &repo.host.ID, // or AWS would create it in the identity's own account
		ImageTagMutability: types.ImageTagMutability(s.TagMutability),
	}
	if s.ScanOnPush {
		input.ImageScanningConfiguration = &types.ImageScanningConfiguration{ScanOnPush: true}
	}
	if len(s.Except) > 0 {
		input.ImageTagMutability += "_WITH_EXCLUSION"
	}
	for _, wildcard := range s.Except {
		input.ImageTagMutabilityExclusionFilters = append(input.ImageTagMutabilityExclusionFilters,
			types.ImageTagMutabilityExclusionFilter{Filter: aws.String(wildcard), FilterType: types.ImageTagMutabilityExclusionFilterTypeWildcard})
	}
	if s.Encryption != "" {
		input.EncryptionConfiguration = &types.EncryptionConfiguration{EncryptionType: types.EncryptionType(s.Encryption)}
		if s.KMSKey != "" {
			input.EncryptionConfiguration.KmsKey = &s.KMSKey
		}
	}
	for _, key := range slices.Sorted(maps.Keys(s.Tags)) {
		input.Tags = append(input.Tags, types.Tag{Key: aws.String(key), Value: aws.String(s.Tags[key])})
	}
	return input
}

func texts[T ~string](values []T) (plain []string) {
	for _, value := range values {
		plain = append(plain, string(value))
	}
	return plain
}
