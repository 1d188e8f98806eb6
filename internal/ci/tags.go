package ci

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// autoTags returns the tags for a commit, as the steps of Drone make them: those of the version for a
// tag, latest for the default branch. For other branches the error is [ErrNothing].
func autoTags(ref, defaultBranch, suffix string) ([]string, error) {
	var tags []string
	switch tag, isTag := strings.CutPrefix(ref, "refs/tags/"); {
	case ref == "":
		return nil, fmt.Errorf("PLUGIN_AUTO_TAG needs the reference of the commit: set DRONE_COMMIT_REF, such as refs/heads/main")
	case isTag:
		tags = versionTags(tag)
		if !version.MatchString(tag) {
			return nil, fmt.Errorf("PLUGIN_AUTO_TAG: the tag %s is no version such as v1.2.3: name the tags with PLUGIN_TAGS", tag)
		}
	case defaultBranch == "":
		return nil, errors.New("PLUGIN_AUTO_TAG needs the default branch, whose tag is latest: set DRONE_REPO_BRANCH")
	case strings.TrimPrefix(ref, "refs/heads/") == defaultBranch:
		tags = []string{"latest"}
	default:
		return nil, fmt.Errorf("%w: PLUGIN_AUTO_TAG makes no tag for %s, only for tags that are versions and for the default branch (DRONE_REPO_BRANCH=%s)", ErrNothing, ref, defaultBranch)
	}
	for n, tag := range tags {
		switch {
		case suffix == "":
		case tag == "latest":
			tags[n] = suffix
		default:
			tags[n] = tag + "-" + suffix
		}
	}
	return tags, nil
}

// version matches a semantic version, with a v in front or without: https://semver.org
var version = regexp.MustCompile(`^v?(0|[1-9]\d*)\.(0|[1-9]\d*)(?:\.(0|[1-9]\d*))?(-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?$`)

// versionTags returns the tags for a version: 1.2.3 gives 1, 1.2 and 1.2.3. Below 1.0 the first number
// alone promises nothing, and neither do the numbers of a pre-release. What is no version is returned
// as it is.
func versionTags(tag string) []string {
	parts := version.FindStringSubmatch(tag)
	if parts == nil {
		return []string{tag}
	}
	major, minor, patch, pre := parts[1], parts[2], parts[3], parts[4]
	if patch == "" {
		patch = "0"
	}
	full := major + "." + minor + "." + patch
	switch {
	case pre != "":
		return []string{full + pre}
	case major == "0":
		return []string{"0." + minor, full}
	}
	return []string{major, major + "." + minor, full}
}
