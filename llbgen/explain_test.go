package llbgen_test

import (
	"strings"
	"testing"
)

// What npm 8 and npm 10 print, and what the user is told.
func TestExplainInstall(t *testing.T) {
	t.Parallel()
	const (
		mismatch = "npm error code EINTEGRITY\n" +
			"npm error Integrity checksum failed when using sha512: wanted sha512-AAAA== but got sha512-BBBB==.\n"
		named  = "npm error this is the integrity of @types/ms@0.7.31 in the lock\n"
		byName = "npm warn tarball tarball data for ms@https://npm.example.com/ms-2.1.3.tgz (sha512-AAAA==) seems to be corrupted. Trying again.\n" + mismatch
	)
	for name, c := range map[string]struct{ framework, log, want string }{
		"other bytes than in the lock that samforge carries": {
			"version: 3.39.0", byName + named,
			"the npm registry has other bytes for @types/ms@0.7.31 than the lock of serverless 3.39.0 (integrity sha512-BBBB==, expected sha512-AAAA==): use another registry or mirror",
		},
		"other bytes than in a lock of the build context": {
			"version: 3.39.0, lock: locks/sls.json", mismatch + named,
			"the npm registry has other bytes for @types/ms@0.7.31 than locks/sls.json (integrity sha512-BBBB==, expected sha512-AAAA==): make the lock anew, or use another registry or mirror",
		},
		"other bytes than the registry says": {
			"version: 3.37.0", byName,
			"the npm registry has other bytes for ms@https://npm.example.com/ms-2.1.3.tgz than it says itself (integrity sha512-BBBB==, expected sha512-AAAA==): use another registry or mirror",
		},
		"a version that does not exist": {
			"version: 3.99.0", "npm ERR! code ETARGET\nnpm ERR! notarget No matching version found for serverless@3.99.0.\nnpm ERR! notarget In most cases",
			"the npm registry does not have serverless@3.99.0",
		},
		"a package that does not exist": {
			"version: 3.39.0", "npm error code E404\nnpm error 404 Not Found - GET https://npm.example.com/ajv - Not found\n",
			"the npm registry does not have https://npm.example.com/ajv",
		},
		"a package for another platform": {
			"version: 3.37.0", "npm error code EBADPLATFORM\n" + `npm error notsup Unsupported platform for fsevents@2.3.3: wanted {"os":"darwin"} (current: {"os":"linux"})` + "\n",
			`fsevents@2.3.3 is not made for the image's platform: it wants {"os":"darwin"}`,
		},
		"a lock made with overrides": {
			"version: 3.39.0, lock: sls.json", "npm error code EUSAGE\nnpm error\nnpm error Invalid: lock file's ms@2.0.0 does not satisfy ms@2.1.2\nnpm error\n",
			"sls.json does not fit together (Invalid: lock file's ms@2.0.0 does not satisfy ms@2.1.2), as where it was made with overrides: make a lock in an empty folder",
		},
		"what the check of the packages refuses": {
			"version: 3.37.0", "samforge: a@1.0.0 has native modules, and none of them for linux/arm64 with glibc\nsamforge: b@1.0.0 is wrong\n",
			"a@1.0.0 has native modules, and none of them for linux/arm64 with glibc; b@1.0.0 is wrong",
		},
		"a certificate without its authority": {"version: 3.39.0", "npm error code UNABLE_TO_VERIFY_LEAF_SIGNATURE\n", "--secret id=ca,src=FILE"},
		"a registry that never answers":       {"version: 3.39.0", "npm error code FETCH_ERROR\nnpm error network timeout at: https://npm.example.com/ms\n", "cannot be reached (https://npm.example.com/ms, network timeout)"},
		"a certificate that is not trusted":   {"version: 3.39.0", "npm error code SELF_SIGNED_CERT_IN_CHAIN\n", "--secret id=ca,src=FILE"},
		"a registry that wants credentials":   {"version: 3.37.0", "npm error code E401\n", "--secret id=npmrc,src=FILE"},
		"a registry that cannot be reached":   {"version: 3.39.0", "npm error code ENOTFOUND\nnpm error request to https://npm.example.com/ms failed\n", "cannot be reached (https://npm.example.com/ms, ENOTFOUND)"},
		"another step that failed":            {"version: 3.39.0", "cp: cannot stat '/x'\n", ""},
		"a release archive, which has no npm": {"version: 4.18.0", "npm error code E401\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan := load(t, strings.Replace(serverlessFile("python3.12", "nodejs20.x", ""), "version: 3.39.0", c.framework, 1), nil)
			got := plan.ExplainInstall(c.log)
			if !strings.Contains(got, c.want) || (c.want == "") != (got == "") {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
	if got := load(t, buildFile, nil).ExplainInstall(mismatch); got != "" {
		t.Errorf("a SAM image, which has no npm: %s", got)
	}
}
