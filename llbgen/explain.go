package llbgen

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/samforge/samforge/npm"
)

var (
	npmIntegrity = regexp.MustCompile(`(?i)integrity checksum failed when using \w+: wanted (\S+) but got (\S+?)\.?\s`)
	npmAddress   = regexp.MustCompile(`(?:request to|network timeout at:|fetch \w+ attempt \d+ failed|GET) ?(https?://\S+)`)
	npmMissing   = regexp.MustCompile(`(?:404 Not Found - GET|No matching version found for) (\S+?)\.?\s`)
	npmPlatform  = regexp.MustCompile(`Unsupported platform for (\S+): wanted (\{.*?\})`)
	npmOutOfSync = regexp.MustCompile(`(?m)^npm \S+ ((?:Invalid|Missing): .+)$`)

	// mismatched is what install.cjs adds, and corrupted what npm says of a package
	// whose address it knows.
	mismatched = regexp.MustCompile(`this is the integrity of (\S+) in the lock`)
	corrupted  = regexp.MustCompile(`tarball data for (\S+) \(`)
	// refused is what check.cjs says.
	refused = regexp.MustCompile(`(?m)^samforge: (.+)$`)
)

// ExplainInstall says in the user's terms why npm could not install a
// package, by what the step printed; or "" where there is nothing to add.
func (p *Plan) ExplainInstall(log string) string {
	for _, pkg := range p.packages(p.Targets...) {
		if sentence := p.explainPackage(pkg, log); sentence != "" {
			return sentence
		}
	}
	return ""
}

func (p *Plan) explainPackage(pkg npmPackage, log string) string {
	_, embedded := p.embeddedLock(pkg)
	for _, explain := range []func(log string) string{
		pkg.explainRefused,
		func(log string) string { return pkg.explainIntegrity(log, embedded) },
		func(log string) string { return pkg.explainPackages(log, embedded) },
		explainRegistry,
	} {
		if sentence := explain(log); sentence != "" {
			return sentence
		}
	}
	return ""
}

func (pkg npmPackage) explainRefused(log string) string {
	var sentences []string
	for _, found := range refused.FindAllStringSubmatch(log, -1) {
		sentences = append(sentences, found[1])
	}
	return strings.Join(sentences, "; ")
}

func (pkg npmPackage) explainIntegrity(log string, embedded bool) string {
	sums := npmIntegrity.FindStringSubmatch(log)
	if sums == nil {
		return ""
	}
	name := "a package"
	for _, named := range []*regexp.Regexp{mismatched, corrupted} {
		if found := named.FindStringSubmatch(log); found != nil {
			name = found[1]
			break
		}
	}
	remedy := "use another registry or mirror"
	if pkg.lock != "" {
		remedy = "make the lock anew, or use another registry or mirror"
	}
	return fmt.Sprintf("the npm registry has other bytes for %s than %s (integrity %s, expected %s): %s",
		name, pkg.lockName(embedded), sums[2], sums[1], remedy)
}

// lockName says what npm was told to keep to.
func (pkg npmPackage) lockName(embedded bool) string {
	if pkg.lock != "" {
		return pkg.lock
	}
	if embedded {
		return fmt.Sprintf("the lock of %s %s", pkg.name, pkg.version)
	}
	return "it says itself"
}

// explainPackages is about packages that cannot be had, or not together.
func (pkg npmPackage) explainPackages(log string, embedded bool) string {
	if found := npmPlatform.FindStringSubmatch(log); found != nil {
		return fmt.Sprintf("%s is not made for the image's platform: it wants %s", found[1], found[2])
	}
	if found := npmOutOfSync.FindStringSubmatch(log); found != nil && strings.Contains(log, "EUSAGE") {
		return fmt.Sprintf("%s does not fit together (%s), as where it was made with overrides: %s",
			pkg.lockName(embedded), found[1], npm.MakeLock(pkg.name, pkg.version))
	}
	if found := npmMissing.FindStringSubmatch(log); found != nil {
		return fmt.Sprintf("the npm registry does not have %s", found[1])
	}
	return ""
}

// explainRegistry is about a registry that does not answer, or not to everyone.
func explainRegistry(log string) string {
	if strings.Contains(log, "UNABLE_TO_GET_ISSUER_CERT") || strings.Contains(log, "UNABLE_TO_VERIFY_LEAF_SIGNATURE") || strings.Contains(log, "SELF_SIGNED_CERT") || strings.Contains(log, "unable to get local issuer certificate") {
		return fmt.Sprintf("the npm registry's certificate is not trusted: pass the authority's with --secret id=%s,src=FILE", npm.SecretCA)
	}
	if strings.Contains(log, "E401") || strings.Contains(log, "E403") {
		return fmt.Sprintf("the npm registry wants other credentials: pass an npm configuration with --secret id=%s,src=FILE", npm.SecretNPMRC)
	}
	for _, code := range []string{"ECONNREFUSED", "ENOTFOUND", "ETIMEDOUT", "EAI_AGAIN", "ECONNRESET", "ERR_SOCKET_TIMEOUT", "EIDLETIMEOUT", "network timeout"} {
		if strings.Contains(log, code) {
			address := npm.Registry
			if found := npmAddress.FindStringSubmatch(log); found != nil {
				address = found[1]
			}
			return fmt.Sprintf("the npm registry cannot be reached (%s, %s): check the builder's network, set mirrors for %s, or pass --build-arg HTTPS_PROXY=…", address, code, npm.Registry)
		}
	}
	return ""
}
