package npm

import (
	"fmt"
	"slices"
)

// NodeFloor returns the lowest version of Node.js that every locked package accepts, in short form:
// "18", "20.19". It is "0" if no package asks for a version, and "" if no version suits all.
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

// PackagesRefusing returns the packages, as name@version, that accept no version of Node.js in the
// range node: one version ("18.20.8") or a release line ("18", "18.x"). It returns an error if node
// is not a range.
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

// OnNode compares the lock with the version of Node.js in an image. A problem means that the
// package itself refuses the version, advice that some of its dependencies do. Both are empty if
// the version is unknown ("").
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
