package llbgen

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/samforge/samforge/catalogue"
)

// checkPair refuses a node image that cannot run on the target's runtime image, if the catalogue
// knows both, and warns about a pair that is not known to work.
func (p *Plan) checkPair(t Target) {
	at := t.path + ".node"
	ref, err := catalogue.ParseNodeReference(t.Node)
	if node, ok := p.catalogue.Node(t.Node); ok {
		p.findf(RuleUnknownPair, at, "%q is a runtime, not an image: write %s", t.Node, node.Image)
		return
	}
	if err != nil {
		p.findf(RuleUnknownPair, at, "%s cannot be checked against the runtime: %v", t.Node, err)
		return
	}
	if !ref.IsNode() {
		p.doc.Errorf(at, "the name of %s says that it has no Node.js: use a Lambda base image, such as %s, or a SAM image, such as public.ecr.aws/sam/build-nodejs22.x", t.Node, p.catalogue.NewestNodeImage())
		return
	}
	runtime, known := p.catalogue.Runtime(t.Runtime)
	node, knownNode := p.catalogue.Runtime(ref.Runtime)
	if !knownNode {
		p.findf(RuleUnknownPair, at, "%s is not in the catalogue, and cannot be checked against the runtime", ref.Runtime)
		return
	}
	if known {
		p.lintNodeEndOfLife(at, runtime, node)
	}
	if p.Verify == VerifyOff {
		return
	}
	p.checkNode(at, node)
	if !known || runtime.Name == node.Name {
		return
	}
	if problem := p.pairProblem(runtime, node); problem != "" {
		p.doc.Errorf(at, "%s%s", problem, p.whatWorks(runtime))
		return
	}
	if !slices.Contains(runtime.Nodes, node.Name) {
		p.findf(RuleUnknownPair, at, "%s on %s is not a pair that is known to work%s", node.Name, runtime.Name, p.whatWorks(runtime))
	}
}

// checkNode refuses a node image whose Node.js does not meet the requirements of the image's
// programs.
func (p *Plan) checkNode(at string, node catalogue.Runtime) {
	k := p.kind()
	k.checkNode(p, at, node)
	for _, variant := range k.variants() {
		pkg, ok := k.packageOf(&p.File, variant)
		if !ok {
			continue
		}
		lock, ok := p.embeddedLock(pkg)
		if !ok {
			continue
		}
		switch problem, advice := lock.OnNode(node.Name, node.Version); {
		case problem != "":
			p.doc.Errorf(at, "%s", problem)
		case advice != "":
			p.findf(RuleUnknownPair, at, "%s", advice)
		}
	}
}

// knownNode returns the catalogue's entry for the target's node image, or an empty one.
func (b *build) knownNode() catalogue.Runtime {
	ref, _ := catalogue.ParseNodeReference(b.target.Node)
	node, _ := b.plan.catalogue.Runtime(ref.Runtime)
	return node
}

// pairProblem says why a pair cannot work, or "".
func (p *Plan) pairProblem(runtime, node catalogue.Runtime) string {
	if runtime.Language == "nodejs" && p.File.Node.Layout == layoutMerged {
		return fmt.Sprintf("%s and %s both have Node.js in %s, and one would overwrite the other", runtime.Name, node.Name, languageDir)
	}
	os, _ := p.catalogue.OS(runtime.OS)
	needs, _ := p.catalogue.Node(node.Name)
	if needs.AWS.Bound != catalogue.BoundAtMost && compareVersions(os.Glibc, needs.AWS.Glibc) < 0 {
		return fmt.Sprintf("%s is %s (glibc %s); %s needs glibc %s", runtime.Name, os.Title, os.Glibc, node.Name, needs.AWS.Glibc)
	}
	return ""
}

// whatWorks names the node images that go with a runtime.
func (p *Plan) whatWorks(runtime catalogue.Runtime) string {
	if len(runtime.Nodes) == 0 {
		return ""
	}
	works := ": use " + strings.Join(runtime.Nodes, " or ")
	if next, ok := p.catalogue.Runtime(runtime.Successor); ok && next.Language == runtime.Language && len(next.Nodes) > 0 {
		works += fmt.Sprintf(", or the runtime %s, which takes %s", next.Name, strings.Join(next.Nodes, " or "))
	}
	return works
}

// compareVersions compares dotted numbers: "2.9" is before "2.28".
func compareVersions(a, b string) int {
	return slices.CompareFunc(strings.Split(a, "."), strings.Split(b, "."), func(x, y string) int {
		m, _ := strconv.Atoi(x)
		n, _ := strconv.Atoi(y)
		return cmp.Compare(m, n)
	})
}
