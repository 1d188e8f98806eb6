package npm

import (
	"fmt"
	"slices"
)

// NodeFloor returns the lowest version of Node.js that every locked package accepts, as short as it
// can be said: "18", "20.19". It is "0" where no package asks for one, and "" where no version suits
// all.
func (l *Lock) NodeFloor() string {
	candidates := []nodeVersion{{}}
	for _, pkg := range l.packages {
		for _, span := range pkg.node {
			candidates = append(candidates, span.from)
		}
	}
	slices.SortFunc(candidates, nodeVersion.compare)
	for _, version := range slices.Compact(candidates) {
		if len(l.refusing(nodeRange{{version, version.next(2)}})) == 0 {
			return version.String()
		}
	}
	return ""
}

// PackagesRefusing returns the packages, as name@version, that accept no version of Node.js within
// node, which may be one version ("18.20.8") or all of a release line ("18", "18.x").
func (l *Lock) PackagesRefusing(node string) ([]string, error) {
	want, err := parseNodeRange(node)
	if err != nil {
		return nil, err
	}
	return l.refusing(want), nil
}

func (l *Lock) refusing(want nodeRange) []string {
	var names []string
	for _, pkg := range l.packages {
		if pkg.node != nil && !pkg.node.overlaps(want) {
			names = append(names, pkg.String())
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// OnNode says why the package does not run on an image's Node.js of a version, by what the package
// says itself; or, as advice, that packages it depends on want another version. Nothing is wrong with
// a version that is not known, "".
func (l *Lock) OnNode(image, version string) (problem, advice string) {
	if version == "" {
		return "", ""
	}
	refusing, err := l.PackagesRefusing(version)
	switch {
	case err != nil || len(refusing) == 0:
		return "", ""
	case slices.Contains(refusing, l.String()):
		return fmt.Sprintf("%s %s needs Node.js %s or later, and %s has %s", l.Name, l.Version, l.NodeFloor(), image, version), ""
	default:
		return "", fmt.Sprintf("%d packages of %s %s want another Node.js than %s's, %s among them", len(refusing), l.Name, l.Version, image, refusing[0])
	}
}
