package catalogue

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestCatalogueRowsAreComplete(t *testing.T) {
	t.Parallel()
	catalogue := loadCatalogue(t)
	name := regexp.MustCompile(`^[a-z]+[0-9]*(\.[a-z0-9]+)*$`)
	release := regexp.MustCompile(`^\d+\.\d+\.\d+$`)
	seen := map[string]bool{}
	for _, r := range catalogue.Runtimes() {
		check := checker(t, r.Name)
		check(name.MatchString(r.Name), "the name is not one of a runtime")
		check(!seen[r.Name], "the row stands twice")
		check(r.Language != "" && strings.HasPrefix(r.Name, r.Language), "the language %q is not that of the name", r.Language)
		check(r.Version != "", "there is no version")
		_, knownOS := catalogue.OS(r.OS)
		check(knownOS, "unknown operating system %q", r.OS)
		check(slices.Equal(r.Architectures, []string{"amd64", "arm64"}) || slices.Equal(r.Architectures, []string{"amd64"}),
			"architectures %q", r.Architectures)
		check(slices.Contains([]Status{StatusCurrent, StatusDeprecated, StatusRemoved}, r.Status), "unknown status %q", r.Status)
		check(r.EOL == "" || isDate(r.EOL), "eol %q is not a date", r.EOL)
		check(r.Until == "" || isDate(r.Until), "until %q is not a date", r.Until)
		check(r.Since == "" || release.MatchString(r.Since), "since %q is not a SAM CLI release", r.Since)
		seen[r.Name] = true
	}
}

func TestCatalogueRowsAgree(t *testing.T) {
	t.Parallel()
	catalogue := loadCatalogue(t)
	asOf, err := time.Parse(time.DateOnly, catalogue.AsOf)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range catalogue.Runtimes() {
		check := checker(t, r.Name)
		past := r.EOL != "" && r.EOL <= catalogue.AsOf
		check(past == (r.Status != StatusCurrent), "status %s does not fit end of life %q", r.Status, r.EOL)
		check(r.StatusOn(asOf) == r.Status, "status %s is not that of %s", r.Status, catalogue.AsOf)
		check(r.Until == "" || r.Status == StatusRemoved, "%s, but images only until %s", r.Status, r.Until)
		check(r.Images || r.Status == StatusRemoved, "%s, but there is no image", r.Status)
		check(r.Status == StatusCurrent || r.Successor != "", "%s without a successor", r.Status)
		if r.Successor != "" {
			to, ok := catalogue.Runtime(r.Successor)
			check(ok, "unknown successor %q", r.Successor)
			check(to.Status == StatusCurrent && to.OS == "al2023", "the successor %s is on its way out itself", to.Name)
			check(to.Language == r.Language || to.Language == "provided", "the successor is in another language: %s", to.Name)
		}
	}
}

func TestCatalogueNodePairings(t *testing.T) {
	t.Parallel()
	catalogue := loadCatalogue(t)
	for _, r := range catalogue.Runtimes() {
		check := checker(t, r.Name)
		check(r.Nodes != nil, "nodes are null in JSON")
		check(r.OS == "al1" || !r.Images || len(r.Nodes) > 0, "no node image fits")
		if r.Language == "nodejs" {
			check(slices.Equal(r.Nodes, []string{r.Name}), "a node runtime takes %q, not itself", r.Nodes)
			continue
		}
		for _, name := range r.Nodes {
			node, ok := catalogue.Runtime(name)
			check(ok && node.Language == "nodejs" && node.Images, "%s is not a node image", name)
			check(node.OS == r.OS, "%s is %s, the runtime %s", name, node.OS, r.OS)
			major, err := strconv.Atoi(node.Version)
			check(err == nil && (r.OS != "al2" || major < 20), "Amazon Linux 2 cannot run %s", name)
			_, ok = catalogue.Node(name)
			check(ok, "nothing is known of what %s needs", name)
		}
	}
}

func TestCatalogueSystemsAndNodes(t *testing.T) {
	t.Parallel()
	catalogue := loadCatalogue(t)
	library := regexp.MustCompile(`^\d+(\.\d+)+$`)
	for _, os := range catalogue.OSes {
		check := checker(t, os.Name)
		check(os.Title != "" && os.PackageManager != "", "title %q, package manager %q", os.Title, os.PackageManager)
		check(library.MatchString(os.Glibc), "glibc %q", os.Glibc)
		check(os.Glibcxx == VersionRange{} && os.Name == "al1" || library.MatchString(os.Glibcxx.Oldest) && library.MatchString(os.Glibcxx.Newest),
			"GLIBCXX %v", os.Glibcxx)
		check(library.MatchString(os.OpenSSL.Oldest) && library.MatchString(os.OpenSSL.Newest), "OpenSSL %v", os.OpenSSL)
		check(isDate(os.EOL), "eol %q is not a date", os.EOL)
	}
	for _, node := range catalogue.Nodes {
		check := checker(t, node.Runtime)
		r, ok := catalogue.Runtime(node.Runtime)
		check(ok && r.Language == "nodejs", "not a node runtime")
		image, err := ParseNodeReference(node.Image)
		check(err == nil && image.Lambda && image.Build && image.Runtime == node.Runtime, "the image %q is not one build of its Lambda base image", node.Image)
		for _, needs := range []LibraryNeeds{node.AWS, node.Official} {
			check(slices.Contains([]Bound{BoundExactly, BoundAtLeast, BoundAtMost}, needs.Bound), "unknown bound %q", needs.Bound)
			check(library.MatchString(needs.Glibc) && library.MatchString(needs.Glibcxx), "needs %+v", needs)
		}
		check(node.Official.Bound != BoundExactly || strings.HasPrefix(node.Official.Release, r.Version+"."),
			"measured on %q, another major version", node.Official.Release)
	}
}

func TestRuntime(t *testing.T) {
	t.Parallel()
	catalogue := loadCatalogue(t)
	got, ok := catalogue.Runtime("java17")
	if !ok || got.OS != "al2" || got.Successor != "java17.al2023" || !slices.Equal(got.Nodes, []string{"nodejs18.x", "nodejs16.x"}) {
		t.Errorf("java17: got %+v", got)
	}
	if got, ok := catalogue.Runtime("python4.0"); ok {
		t.Errorf("python4.0: got %+v, want none", got)
	}
}

func TestNodeImage(t *testing.T) {
	t.Parallel()
	catalogue := loadCatalogue(t)
	const node = "public.ecr.aws/sam/build-nodejs20.x:1.142.1-20250701194712"
	for image, want := range map[string]string{
		"public.ecr.aws/sam/build-python3.13:1.143.0-20250822194415": "public.ecr.aws/lambda/nodejs:24.2026.01.26.23",
		"public.ecr.aws/sam/build-java17:1.143.0-20250822194410":     "public.ecr.aws/lambda/nodejs:18.2025.05.04.04",
		"public.ecr.aws/sam/build-python3.7:1.100.0":                 "", // nothing runs on it
		"acme/image:1": "",
		node:           node,
	} {
		if got := catalogue.NodeImage(image); got != want {
			t.Errorf("%s: got %q, want %q", image, got, want)
		}
	}
}

func TestStatusOn(t *testing.T) {
	t.Parallel()
	catalogue := loadCatalogue(t)
	for name, test := range map[string]struct {
		runtime, day string
		want         Status
	}{
		"the day before the end":          {"dotnet8", "2026-11-09", StatusCurrent},
		"the day of the end":              {"dotnet8", "2026-11-10", StatusDeprecated},
		"removed stays removed":           {"go1.x", "2030-01-01", StatusRemoved},
		"no end is known":                 {"java17.al2023", "2030-01-01", StatusCurrent},
		"an earlier day changes no truth": {"nodejs16.x", "2020-01-01", StatusDeprecated},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			day, err := time.Parse(time.DateOnly, test.day)
			if err != nil {
				t.Fatal(err)
			}
			r, _ := catalogue.Runtime(test.runtime)
			if got := r.StatusOn(day); got != test.want {
				t.Errorf("%s on %s: got %s, want %s", test.runtime, test.day, got, test.want)
			}
		})
	}
}

func TestCatalogueNearest(t *testing.T) {
	t.Parallel()
	catalogue := loadCatalogue(t)
	for name, test := range map[string]struct{ name, want string }{
		"the .x is missing":             {"nodejs22", "nodejs22.x"},
		"the dot is missing":            {"python312", "python3.12"},
		"the language is cut short":     {"node22.x", "nodejs22.x"},
		"a version that is not out yet": {"python3.15", "python3.14"},
		"maintained rows come first":    {"java17.al203", "java17.al2023"},
		"something else altogether":     {"cobol", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := catalogue.Nearest(test.name); got != test.want {
				t.Errorf("Nearest(%q) = %q, want %q", test.name, got, test.want)
			}
		})
	}
}

func TestRuntimeJSON(t *testing.T) {
	t.Parallel()
	r, _ := loadCatalogue(t).Runtime("java11")
	r.Note = ""
	got, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"name":"java11","language":"java","version":"11","os":"al2","architectures":["amd64","arm64"],"images":true,` +
		`"status":"current","eol":"2027-06-30","since":"0.32.0","successor":"java11.al2023","nodes":["nodejs18.x","nodejs16.x"]}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func loadCatalogue(t *testing.T) *Catalogue {
	t.Helper()
	catalogue, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return catalogue
}

// checker returns a function that reports what is wrong with a row.
func checker(t *testing.T, row string) func(ok bool, format string, args ...any) {
	return func(ok bool, format string, args ...any) {
		t.Helper()
		if !ok {
			t.Errorf(row+": "+format, args...)
		}
	}
}

func isDate(s string) bool {
	_, err := time.Parse(time.DateOnly, s)
	return err == nil
}
