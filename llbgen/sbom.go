package llbgen

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	digest "github.com/opencontainers/go-digest"
	"github.com/spdx/tools-golang/spdx/v2/common"
	spdx "github.com/spdx/tools-golang/spdx/v2/v2_3"
)

// SBOM returns a list of what the image is made of, as an SPDX 2.3 document in JSON:
// https://spdx.github.io/spdx-spec/v2.3/. It names the inputs of the build and reads none of them.
// So it has the digest of the base image, and not what is inside. The same image has the same
// document, to the last byte.
func (i *Image) SBOM() ([]byte, error) {
	b := i.build
	name := fmt.Sprintf("%s-%s-%s", b.target.Name, b.opt.Platform.OS, b.arch())
	doc := &bill{Document: spdx.Document{
		SPDXVersion:     spdx.Version,
		DataLicense:     spdx.DataLicense,
		SPDXIdentifier:  documentID,
		DocumentName:    name,
		DocumentComment: i.sbomComment(),
		CreationInfo: &spdx.CreationInfo{
			Creators: []common.Creator{{CreatorType: "Tool", Creator: "samforge"}},
			Created:  b.opt.Epoch.UTC().Format(time.RFC3339),
		},
	}}
	doc.describe(i)
	content, err := json.Marshal(doc.Document)
	if err != nil {
		return nil, fmt.Errorf("write the SBOM of %s: %w", name, err)
	}
	// Each document has a name of its own:
	// https://spdx.github.io/spdx-spec/v2.3/document-creation-information/#65-spdx-document-namespace-field
	doc.DocumentNamespace = "https://spdx.org/spdxdocs/" + name + "-" + digest.FromBytes(content).Encoded()
	return json.Marshal(doc.Document)
}

// sbomComment says what is in the document and what is not.
func (i *Image) sbomComment() string {
	inside := "the base image " + i.Base.Name
	for _, l := range i.Layers {
		if l.Name == nodeLayerName {
			inside += ", nor the files that come from the " + l.Source
		}
	}
	return "Made from the inputs of the build: this names the images, downloads and npm packages that the image is made from, and no file of it was read. " +
		"It does not list the packages within " + inside + ": a scanner adds them, which --sbom generator=IMAGE names."
}

// documentID is the document's own identifier.
const documentID common.ElementID = "DOCUMENT"

// bill is an SPDX document that is being written.
type bill struct {
	spdx.Document
	images map[string]common.ElementID // by name
}

// describe lists the image and what is in it.
func (d *bill) describe(i *Image) {
	b := i.build
	image := d.add(software{name: b.target.Name, version: b.plan.File.Plugin.Version, purpose: purposeContainer, comment: b.plan.Description(b.target)})
	d.relate(documentID, common.TypeRelationshipDescribe, image)
	d.relate(image, common.TypeRelationshipContains, d.image(i.Base, b.arch()))
	for _, s := range b.inBase(i.Base) {
		d.contain(image, s, b.arch())
	}
	for _, l := range i.Layers {
		for _, s := range l.software {
			d.contain(image, s, b.arch())
		}
	}
}

// contain adds software to the image, and to the image that it was copied from.
func (d *bill) contain(image common.ElementID, s software, arch string) {
	id := d.add(s)
	d.relate(image, common.TypeRelationshipContains, id)
	if s.image != nil {
		d.relate(d.image(s.image, arch), common.TypeRelationshipContains, id)
	}
}

// image adds a source image, once.
func (d *bill) image(source *SourceImage, arch string) common.ElementID {
	id, ok := d.images[source.Name]
	if !ok {
		if d.images == nil {
			d.images = map[string]common.ElementID{}
		}
		id = d.add(source.software(arch))
		d.images[source.Name] = id
	}
	return id
}

func (d *bill) add(s software) common.ElementID {
	p := s.spdx()
	id := p.PackageSPDXIdentifier
	taken := func(p *spdx.Package) bool { return p.PackageSPDXIdentifier == id }
	for n := 2; slices.ContainsFunc(d.Packages, taken); n++ {
		id = common.ElementID(fmt.Sprintf("%s-%d", p.PackageSPDXIdentifier, n))
	}
	p.PackageSPDXIdentifier = id
	d.Packages = append(d.Packages, p)
	return id
}

func (d *bill) relate(a common.ElementID, how string, b common.ElementID) {
	d.Relationships = append(d.Relationships, &spdx.Relationship{
		RefA:         common.DocElementID{ElementRefID: a},
		RefB:         common.DocElementID{ElementRefID: b},
		Relationship: how,
	})
}
