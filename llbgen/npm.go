package llbgen

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

var (
	npmIntegrity = regexp.MustCompile(`(?i)integrity checksum failed when using \w+: wanted (\S+) but got (\S+?)\.?\s`)
	npmAddress   = regexp.MustCompile(`(?:request to|fetch \w+ attempt \d+ failed|GET) ?(https?://\S+)`)
	npmMissing   = regexp.MustCompile(`(?:404 Not Found - GET|No matching version found for) (\S+)`)
)

// ExplainInstall says in the user's terms why npm could not install the
// framework, by what it printed; or "" where there is nothing to add.
func (p *Plan) ExplainInstall(log string) string {
	s := p.File.Serverless
	lock, ok := EmbeddedLock(s.Flavor, s.Version)
	if !ok {
		return ""
	}
	if sums := npmIntegrity.FindStringSubmatch(log); sums != nil {
		return fmt.Sprintf("the npm registry has other bytes for %s than the lock of %s %s (integrity %s, expected %s): use another registry or mirror",
			packageWith(lock, sums[1]), s.Flavor, s.Version, sums[2], sums[1])
	}
	if strings.Contains(log, "UNABLE_TO_GET_ISSUER_CERT") || strings.Contains(log, "SELF_SIGNED_CERT") || strings.Contains(log, "unable to get local issuer certificate") {
		return fmt.Sprintf("the npm registry's certificate is not trusted: pass the authority's with --secret id=%s,src=FILE", SecretCA)
	}
	if strings.Contains(log, "E401") || strings.Contains(log, "E403") {
		return fmt.Sprintf("the npm registry wants other credentials: pass an npm configuration with --secret id=%s,src=FILE", SecretNPMRC)
	}
	if missing := npmMissing.FindStringSubmatch(log); missing != nil {
		return fmt.Sprintf("the npm registry does not have %s", missing[1])
	}
	for _, code := range []string{"ECONNREFUSED", "ENOTFOUND", "ETIMEDOUT", "EAI_AGAIN", "ECONNRESET", "ERR_SOCKET_TIMEOUT", "EIDLETIMEOUT"} {
		if strings.Contains(log, code) {
			address := npmRegistry
			if found := npmAddress.FindStringSubmatch(log); found != nil {
				address = found[1]
			}
			return fmt.Sprintf("the npm registry cannot be reached (%s, %s): check the builder's network, set mirrors for %s, or pass --build-arg HTTPS_PROXY=…", address, code, npmRegistry)
		}
	}
	return ""
}

// packageWith returns the name of the package that a lock has an integrity for.
func packageWith(lock *Lock, integrity string) string {
	var content struct {
		Packages map[string]struct{ Version, Integrity string }
	}
	if err := json.Unmarshal(lock.Data, &content); err != nil {
		return "a package"
	}
	for path, entry := range content.Packages {
		if entry.Integrity == integrity {
			return path[strings.LastIndex(path, "node_modules/")+len("node_modules/"):] + "@" + entry.Version
		}
	}
	return "a package"
}
