package llbgen

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/distribution/reference"
	digest "github.com/opencontainers/go-digest"
	"github.com/package-url/packageurl-go"
	"github.com/spdx/tools-golang/spdx/v2/common"
	spdx "github.com/spdx/tools-golang/spdx/v2/v2_3"

	"github.com/samforge/samforge/catalogue"
	"github.com/samforge/samforge/npm"
)

// software is an entry of an image's SBOM.
type software struct {
	name    string
	version string // empty if unknown
	purpose string // one of SPDX's words; empty for an application
	purl    string // https://github.com/package-url/purl-spec
	url     string // what it was downloaded from
	sums    []common.Checksum
	comment string
	// image is the image that its files were copied from.
	image *SourceImage
}

// What SPDX calls the purpose of a package:
// https://spdx.github.io/spdx-spec/v2.3/package-information/#724-primary-package-purpose-field
const (
	purposeApplication = "APPLICATION"
	purposeContainer   = "CONTAINER"
	purposeFramework   = "FRAMEWORK"
	purposeLibrary     = "LIBRARY"
)

// noAssertion is the value of an unknown field.
const noAssertion = "NOASSERTION"

// notInID matches what the identifier of a package cannot contain.
var notInID = regexp.MustCompile(`[^A-Za-z0-9.]+`)

// spdx describes the software as a package. Unknown fields are NOASSERTION:
// https://spdx.github.io/spdx-spec/v2.3/package-information/
func (s software) spdx() *spdx.Package {
	purpose := cmp.Or(s.purpose, purposeApplication)
	id := strings.ToLower(purpose) + "-" + strings.Trim(notInID.ReplaceAllString(s.name+"-"+s.version, "-"), "-")
	p := &spdx.Package{
		PackageName:             s.name,
		PackageSPDXIdentifier:   common.ElementID(id),
		PackageVersion:          cmp.Or(s.version, noAssertion),
		PackageDownloadLocation: cmp.Or(s.url, noAssertion),
		PackageChecksums:        s.sums,
		PackageComment:          s.comment,
		PrimaryPackagePurpose:   purpose,
	}
	if s.purl != "" {
		p.PackageExternalReferences = []*spdx.PackageExternalReference{{
			Category: common.CategoryPackageManager, RefType: common.TypePackageManagerPURL, Locator: s.purl,
		}}
	}
	return p
}

// purl writes a package URL. A slash in name separates the namespace from the name.
func purl(kind, name, version string, qualifiers map[string]string) string {
	namespace, name := path.Split(name)
	return packageurl.NewPackageURL(kind, strings.TrimSuffix(namespace, "/"), name, version, packageurl.QualifiersFromMap(qualifiers), "").ToString()
}

// software returns the entry for the image itself. For plain files in place of an image, it has
// only the name.
func (i *SourceImage) software(arch string) software {
	s := software{name: i.Name, purpose: purposeContainer}
	named, err := reference.ParseNormalizedNamed(i.Name)
	if err != nil || i.Digest == "" {
		return s
	}
	s.name, s.version = named.Name(), cmp.Or(tagOf(i.Name), i.Digest.String())
	qualifiers := map[string]string{"arch": arch, "repository_url": named.Name()}
	if tag := tagOf(i.Name); tag != "" {
		qualifiers["tag"] = tag
	}
	s.purl = purl("oci", path.Base(named.Name()), i.Digest.String(), qualifiers)
	s.sums = checksums(i.Digest)
	return s
}

// inBase returns the software that the base image has according to its name.
func (b *build) inBase(base *SourceImage) []software {
	var known []software
	if runtime, ok := b.plan.catalogue.Runtime(b.target.Runtime); ok && runtime.Language != "provided" {
		known = append(known, languageSoftware(runtime, base))
	}
	return append(known, software{
		name: "aws-sam-cli", version: b.target.SAMVersion, image: base,
		purl: github("aws/aws-sam-cli", b.target.SAMVersion),
	})
}

// languageSoftware returns the entry for the language runtime in an image. Only its release line is
// known.
func languageSoftware(r catalogue.Runtime, image *SourceImage) software {
	s := software{name: r.Language, version: r.Version, image: image}
	if r.Language == "nodejs" {
		s.name = "node"
	}
	if s.version != "" {
		s.comment = "The version is a release line; the image has the release."
	}
	s.purl = purl("generic", s.name, "", nil)
	return s
}

// node returns the entry for Node.js from the node image.
func (b *build) node(image *SourceImage) software {
	r := b.knownNode()
	r.Language = "nodejs"
	return languageSoftware(r, image)
}

// dockerSoftware returns the entry for the Docker CLI of a version or a tag. A tag such as 28-cli
// names a release line, latest names nothing.
func dockerSoftware(version string) software {
	version = strings.TrimSuffix(version, "-cli")
	if version == "" || version[0] < '0' || version[0] > '9' {
		return software{name: "docker-cli"}
	}
	return software{name: "docker-cli", version: version, purl: github("docker/cli", version)}
}

// github returns the package URL of a release, or "" if the version is not complete enough to be
// its tag.
func github(repository, version string) string {
	if !exactVersion.MatchString(version) {
		return ""
	}
	return purl("github", repository, "v"+version, nil)
}

// software returns the entry for the downloaded file, by the name of the software in it.
func (d download) software(name, version string) software {
	qualifiers := map[string]string{"download_url": d.url}
	if d.sum != "" {
		qualifiers["checksum"] = d.sum.String()
	}
	return software{name: name, version: version, url: d.url, sums: checksums(d.sum), purl: purl("generic", name, version, qualifiers)}
}

func checksums(sum digest.Digest) []common.Checksum {
	if sum == "" {
		return nil
	}
	return []common.Checksum{{Algorithm: common.ChecksumAlgorithm(strings.ToUpper(sum.Algorithm().String())), Value: sum.Encoded()}}
}

// npmSoftware returns the entries for what npm installs from a lock on an architecture: the package
// and its dependencies.
func npmSoftware(lock *npm.Lock, arch string) []software {
	framework := software{
		name: lock.Name, version: lock.Version, purpose: purposeFramework, purl: purl("npm", lock.Name, lock.Version, nil),
	}
	if lock.Data == nil {
		framework.comment = "There is no lock of this version: npm chose what it depends on when it was installed, and none of that is named here."
		return []software{framework}
	}
	var libraries []software
	for _, pkg := range lock.Installed(arch) {
		s := software{
			name: pkg.Name(), version: pkg.Version, purpose: purposeLibrary,
			purl: purl("npm", pkg.Name(), pkg.Version, nil), url: pkg.Resolved, sums: integrityChecksums(pkg.Integrity),
		}
		if pkg.Place == "node_modules/"+lock.Name {
			framework.url, framework.sums = s.url, s.sums
			continue
		}
		libraries = append(libraries, s)
	}
	slices.SortStableFunc(libraries, func(a, b software) int { return cmp.Compare(a.purl, b.purl) })
	// The tree has many packages at several places.
	libraries = slices.CompactFunc(libraries, func(a, b software) bool { return a.purl == b.purl })
	return append([]software{framework}, libraries...)
}

// integrityChecksums are those of an integrity: https://www.w3.org/TR/SRI/#the-integrity-attribute
func integrityChecksums(integrity string) []common.Checksum {
	var sums []common.Checksum
	for _, field := range strings.Fields(integrity) {
		algorithm, encoded, _ := strings.Cut(field, "-")
		encoded, _, _ = strings.Cut(encoded, "?")
		sum, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || !slices.Contains([]string{"sha1", "sha256", "sha384", "sha512"}, algorithm) {
			continue
		}
		sums = append(sums, common.Checksum{Algorithm: common.ChecksumAlgorithm(strings.ToUpper(algorithm)), Value: hex.EncodeToString(sum)})
	}
	return sums
}
