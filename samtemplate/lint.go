package samtemplate

import (
	"strings"

	"github.com/samforge/samforge/internal/credentials"
	"github.com/samforge/samforge/internal/lambda"
	"github.com/samforge/samforge/internal/rules"
	"github.com/samforge/samforge/source"
)

// Lint returns what the rules find in the function's settings. More findings of rules are among the
// warnings of its template.
func (f *Function) Lint() []*source.Diagnostic {
	var found findings
	f.lintArgs(&found)
	f.lintExtraParams(&found)
	f.lintEntryPoint(&found)
	return found.that(f.template.checks.Wants)
}

// Lint returns what a rule finds about the functions of the template, and of its nested stacks,
// whose code is no image. samforge leaves them as they are.
func (t *Template) Lint() []*source.Diagnostic {
	var found findings
	for template := range t.All() {
		if !template.checks.Wants(rules.LocalZipCode) {
			continue
		}
		for _, zip := range template.ZipFunctions {
			if zip.Local {
				found.add(rules.LocalZipCode, template.doc.Diagnostic(zip.CodeUri.At, zip.LogicalID,
					"the code in %s is no image, and samforge leaves it as it is: upload it with sam package or aws cloudformation package, which go on from the template that samforge package writes", zip.CodeUri))
			}
		}
	}
	return found
}

// findings are what rules find.
type findings []*source.Diagnostic

func (found *findings) add(rule string, d *source.Diagnostic) {
	d.Rule = rule
	*found = append(*found, d)
}

// that returns the findings of the rules that count.
func (found findings) that(wants func(rule string) bool) findings {
	var wanted findings
	for _, d := range found {
		if d.Rule == "" || wants(d.Rule) {
			wanted = append(wanted, d)
		}
	}
	return wanted
}

// lintArgs finds build arguments that are secrets by their names.
func (f *Function) lintArgs(found *findings) {
	for _, arg := range f.Args {
		if credentials.LooksSecret(arg.Name) && arg.Value.Reveal() != "" {
			found.add(rules.SecretInBuildArg, f.Diagnostic(arg.Value.At, "the build argument %s looks like a secret, and whoever has the image can read it: leave it out, pass the secret with --secret id=%s,env=%s, and read it in the Dockerfile with RUN --mount=type=secret,id=%s",
				arg.Name, arg.Name, arg.Name, arg.Name))
		}
	}
}

// lintExtraParams finds flags that ask for attestations, and those that are not used. An image with an
// attestation is an index, which Lambda refuses:
// https://docs.aws.amazon.com/lambda/latest/dg/images-create.html
// Without them samforge makes none.
func (f *Function) lintExtraParams(found *findings) {
	for _, param := range f.Extra.Attests {
		name, _, _ := strings.Cut(param.String(), "=")
		found.add(rules.RefusedAttestation, f.Diagnostic(param.At, "%s makes an index of the image, which Lambda refuses: leave it out, or write --provenance=false", name))
	}
	for _, param := range f.Extra.Unused {
		found.add("", f.Diagnostic(param.At, "%s in DockerBuildExtraParams is not used: give the flag to the build, for all functions", param))
	}
}

// lintEntryPoint finds an entry point that Lambda does not start.
func (f *Function) lintEntryPoint(found *findings) {
	var entry []string
	for _, text := range f.ImageConfig.EntryPoint {
		if text.Unresolved != nil || text.Secret() {
			return
		}
		entry = append(entry, text.Reveal())
	}
	if len(entry) == 0 {
		return
	}
	if _, problem := lambda.EntryPointProblem(entry, "EntryPoint of ImageConfig"); problem != "" {
		found.add(rules.RelativeEntrypoint, f.Diagnostic(f.ImageConfig.EntryPoint[0].At, "%s", problem))
	}
}
