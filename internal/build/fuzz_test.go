package build

import (
	"slices"
	"strings"
	"testing"

	"github.com/samforge/samforge/internal/project"
)

// FuzzOutput: whatever the value of --output, it is an output of a known type, or there is a
// mistake that shows the value.
func FuzzOutput(f *testing.F) {
	for _, seed := range []string{
		"type=oci,dest=image.tar", "-", "folder", "type=image,push=true,name=a/b:c", `"type=local","dest=a,b"`, "type=docker,tar=false,dest=d", "type=registry", "type=image,name=*", "type=oci,output=x", "TYPE =tar",
		"type=image,\"name=a,b\"", "dest=a", "type=cacheonly", "type=tar,\"", "type=image,name=A",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		o, err := parseOutput(value)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "--output "+value) {
				t.Errorf("the mistake does not show %q: %v", value, err)
			}
			return
		}
		if !slices.Contains(outputTypes, o.kind) || o.kind == "registry" {
			t.Errorf("%q has the type %q", value, o.kind)
		}
		if o.toFile() && o.toFolder() {
			t.Errorf("%q is a file and a folder", value)
		}
		for name := range strings.SplitSeq(o.attrs["name"], ",") {
			if o.kind == "image" && name != "" && name != "*" && project.CheckReference(name) != nil {
				t.Errorf("%q pushes %q", value, name)
			}
		}
	})
}

// FuzzAttest: whatever the value of --attest, it can be read again as it is passed on, or there is
// a mistake.
func FuzzAttest(f *testing.F) {
	for _, seed := range []string{
		"type=provenance,mode=max", "type=sbom,generator=a/b:c", "type=sbom,disabled=true", "type=provenance,disabled=x", `type=provenance,"a=b,c"`, "mode=max", "type=x", "a", `"`, "type=sbom,a=\"b\"", "Type=sbom, x=y ",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		kind, attrs, err := parseAttest(value)
		switch {
		case err != nil && !strings.HasPrefix(err.Error(), "--attest "+value):
			t.Errorf("the mistake does not show %q: %v", value, err)
		case err != nil || kind == "":
			return
		}
		written := "type=" + kind
		if attrs != "" {
			written += "," + attrs
		}
		if again, rest, err := parseAttest(written); err != nil || again != kind || rest != attrs {
			t.Errorf("%q is passed on as %q, and read as %q, %q, %v", value, attrs, again, rest, err)
		}
	})
}

// FuzzAnnotate: whatever the annotation, its value is in the attributes once for each of its types,
// or there is a mistake.
func FuzzAnnotate(f *testing.F) {
	for _, seed := range []string{"a=b", "manifest:a=b=c", "index,manifest[linux/amd64]:a=b", "manifest-descriptor[linux/arm/v7]:a=", "x:a=b", "manifest[]:a=b", "manifest[a/b/c/d]:x=y", "a", ":=", "index[linux/amd64]:a=b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		attrs := map[string]string{}
		if err := annotate(attrs, []string{text}); err != nil {
			if !strings.HasPrefix(err.Error(), "--annotation ") {
				t.Errorf("the mistake names no flag: %v", err)
			}
			return
		}
		_, value, _ := strings.Cut(text, "=")
		for name, got := range attrs {
			if got != value || !strings.HasPrefix(name, "annotation") {
				t.Errorf("%q gives %s=%q", text, name, got)
			}
		}
		if len(attrs) == 0 {
			t.Errorf("%q gives nothing", text)
		}
	})
}

// FuzzRegistryCaches: whatever a value of --cache-to is, a cache in a registry has a reference, or
// is none.
func FuzzRegistryCaches(f *testing.F) {
	for _, seed := range []string{"type=registry,ref=a/b:c,ignore-error=true", "a/b:c", "type=inline", "type=s3,bucket=b", "", "type=registry", `"`, ",", "type=registry,ref=a,ref=b", "type=gha"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if caches := RegistryCaches([]string{value}); len(caches) > 1 {
			t.Errorf("%q is %d caches", value, len(caches))
		}
	})
}
