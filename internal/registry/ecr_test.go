package registry

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
)

const (
	onECR       = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app"
	onPublicECR = "public.ecr.aws/demo/app"
)

func repositoryNamed(t *testing.T, text string) name.Repository {
	t.Helper()
	repo, err := name.NewRepository(text)
	if err != nil {
		t.Fatal(err)
	}
	return repo
}

// prepare makes repositories ready, and returns the notes.
func prepare(t *testing.T, settings RepositorySettings, refs ...string) ([]string, error) {
	t.Helper()
	var notes []string
	r := &Repositories{AWS: keys, Settings: settings, Create: true, Note: func(sentence string) { notes = append(notes, sentence) }}
	err := r.Prepare(t.Context(), refs...)
	return notes, err
}

// A repository is created once, with its settings, however many references name it.
func TestRepositoryIsCreatedWithItsSettings(t *testing.T) {
	fake := fakeAWS(t)
	settings := RepositorySettings{
		ScanOnPush: true, TagMutability: "IMMUTABLE", Except: []string{"dev-*"}, Encryption: "KMS", KMSKey: "alias/images", Tags: map[string]string{"team": "web"},
		LifecyclePolicy: `{"rules": []}`, Policy: `{"Statement": []}`,
	}
	for range 2 { // again it changes nothing
		if _, err := prepare(t, settings, onECR+":1", onECR+":2", "registry.example.com/app:1"); err != nil {
			t.Fatal(err)
		}
	}
	var want map[string]any
	if err := json.Unmarshal([]byte(`{
		"repositoryName": "team/app", "registryId": "123456789012",
		"imageScanningConfiguration": {"scanOnPush": true},
		"imageTagMutability": "IMMUTABLE_WITH_EXCLUSION", "imageTagMutabilityExclusionFilters": [{"filter": "dev-*", "filterType": "WILDCARD"}],
		"encryptionConfiguration": {"encryptionType": "KMS", "kmsKey": "alias/images"},
		"tags": [{"Key": "team", "Value": "web"}]}`), &want); err != nil {
		t.Fatal(err)
	}
	if got := fake.Repository("team/app"); !reflect.DeepEqual(got, want) {
		t.Errorf("the repository was created with\n%v, want\n%v", got, want)
	}
	once := []string{"ecr:CreateRepository", "ecr:PutLifecyclePolicy", "ecr:SetRepositoryPolicy"}
	if got := fake.Actions(); !slices.Equal(got, slices.Concat(once, once)) {
		t.Errorf("the requests are %v", got)
	}
	if got := fake.Policy("team/app"); got != settings.Policy {
		t.Errorf("the policy is %q", got)
	}
}

// Nothing is asked of AWS for other registries, not even for an identity.
func TestOtherRegistriesNeedNoRepository(t *testing.T) {
	fake := fakeAWS(t)
	r := &Repositories{Create: true}
	if err := r.Prepare(t.Context(), "registry.example.com/app:1", "app", "docker.io/library/app@sha256:"+strings.Repeat("a", 64)); err != nil || len(fake.Calls()) > 0 {
		t.Errorf("got %v after %v", err, fake.Actions())
	}
}

// A role that may not create a repository is enough if the push finds one, or creates it.
func TestRepositoryWithoutTheRightToCreateIt(t *testing.T) {
	denied := map[string]string{"ecr:CreateRepository": accessDenied}
	for name, tc := range map[string]struct {
		exists    bool
		templates []string
		failures  map[string]string
		note      string
		err       string
	}{
		"it exists":                          {exists: true},
		"the registry creates it on push":    {templates: []string{"team"}, note: "the push works if the registry creates repositories on push"},
		"the registry creates all on push":   {templates: []string{"ROOT"}, note: "the push works if the registry creates repositories on push"},
		"the registry creates others":        {templates: []string{"tea"}, err: "do not allow ecr:CreateRepository; add this action"},
		"the registry creates none":          {err: "create the repository " + onECR + ": the credentials of AWS do not allow ecr:CreateRepository; add this action"},
		"nobody says whether it is created":  {failures: map[string]string{"ecr:DescribeRepositoryCreationTemplates": accessDenied}, note: "the push works if the registry creates"},
		"nobody says whether there is one":   {failures: map[string]string{"ecr:DescribeRepositories": accessDenied}, note: "the push works if it exists"},
		"another error when it is looked up": {failures: map[string]string{"ecr:DescribeRepositories": "ValidationException"}, err: "AWS refuses the settings (ecr:DescribeRepositories)"},
	} {
		t.Run(name, func(t *testing.T) {
			fake := fakeAWS(t)
			for _, all := range []map[string]string{denied, tc.failures} {
				for action, code := range all {
					fake.Failures[action] = code
				}
			}
			fake.Templates = tc.templates
			if tc.exists {
				fake.Add("team/app", "")
			}
			notes, err := prepare(t, RepositorySettings{}, onECR)
			if tc.err == "" && err != nil || tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err)) {
				t.Errorf("the error is %v, want %q", err, tc.err)
			}
			if got := strings.Join(notes, "\n"); !strings.Contains(got, tc.note) || tc.note == "" && got != "" {
				t.Errorf("the notes are %q, want %q", got, tc.note)
			}
		})
	}
}

// A policy that somebody wrote is not replaced by one that is only a default.
func TestPolicyIsKept(t *testing.T) {
	fake := fakeAWS(t)
	fake.Add("team/app", "theirs")
	fake.Add("team/other", "")
	settings := RepositorySettings{Policy: `{"Statement": []}`, KeepPolicy: true}
	if _, err := prepare(t, settings, onECR, strings.Replace(onECR, "app", "other", 1)); err != nil {
		t.Fatal(err)
	}
	if got := []string{fake.Policy("team/app"), fake.Policy("team/other")}; !slices.Equal(got, []string{"theirs", settings.Policy}) {
		t.Errorf("the policies are %q", got)
	}
	fake.Add("team/bare", "")
	for action, want := range map[string]string{"ecr:SetRepositoryPolicy": "has no policy, and", "ecr:GetRepositoryPolicy": "is left as it is, because it cannot be read"} {
		fake.Failures = map[string]string{action: accessDenied}
		if notes, err := prepare(t, settings, strings.Replace(onECR, "app", "bare", 1)); err != nil || len(notes) != 1 || !strings.Contains(notes[0], want) {
			t.Errorf("without %s: got %q, %v; want %q", action, notes, err, want)
		}
	}
}

// Without Create a repository must be there.
func TestPoliciesOfARepositoryThatIsMissing(t *testing.T) {
	fakeAWS(t)
	r := &Repositories{AWS: keys, Settings: RepositorySettings{LifecyclePolicy: "{}"}}
	if err := r.Prepare(t.Context(), onECR); err == nil || !strings.Contains(err.Error(), "there is no such repository; create it first") || !BadSettings(err) {
		t.Errorf("got %v", err)
	}
}

func TestPublicRepository(t *testing.T) {
	fake := fakeAWS(t)
	for range 2 {
		if _, err := prepare(t, RepositorySettings{}, onPublicECR+":1"); err != nil {
			t.Fatal(err)
		}
	}
	if got := fake.Actions(); fake.Repository("app") == nil || got[0] != "ecr-public:CreateRepository" {
		t.Errorf("after %v the repository is %v", got, fake.Repository("app"))
	}
	_, err := prepare(t, RepositorySettings{}, "public.ecr.aws/theirs/new:1")
	if want := "created as public.ecr.aws/demo/new: push to it, and not to public.ecr.aws/theirs/new"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
}

// Mistakes in the settings are found before anything is asked of AWS.
func TestMistakesOfRepositories(t *testing.T) {
	fake := fakeAWS(t)
	for name, tc := range map[string]struct {
		settings RepositorySettings
		ref      string
		want     string
	}{
		"a policy that is no JSON":           {RepositorySettings{Policy: "policy.json"}, onECR, "the repository policy is no JSON object"},
		"a lifecycle policy that is a list":  {RepositorySettings{LifecyclePolicy: "[]"}, onECR, "the lifecycle policy is no JSON object"},
		"a mutability that there is not":     {RepositorySettings{TagMutability: "immutable"}, onECR, `is "immutable": use MUTABLE or IMMUTABLE`},
		"an exception to nothing":            {RepositorySettings{Except: []string{"dev-*"}}, onECR, "use MUTABLE or IMMUTABLE"},
		"a key without its encryption":       {RepositorySettings{KMSKey: "alias/images"}, onECR, "only with the encryption KMS or KMS_DSSE"},
		"an encryption that there is not":    {RepositorySettings{Encryption: "aes"}, onECR, "use AES256 or KMS or KMS_DSSE"},
		"a lifecycle of a public repository": {RepositorySettings{LifecyclePolicy: "{}"}, onPublicECR, "public.ecr.aws have no setting for lifecycle policy"},
		"a public repository without alias":  {RepositorySettings{}, "public.ecr.aws/app", "public.ecr.aws/ALIAS/NAME"},
		"a reference that is none":           {RepositorySettings{}, "https://" + onECR, "is not an image reference"},
	} {
		if _, err := prepare(t, tc.settings, tc.ref); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", name, err, tc.want)
		}
	}
	if got := fake.Actions(); len(got) > 0 {
		t.Errorf("AWS was asked: %v", got)
	}
}

// The names that registries of Amazon have.
func TestHostsOfECR(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]struct {
		region                  string
		fips, dualStack, public bool
	}{
		"123456789012.dkr.ecr.eu-west-1.amazonaws.com":          {region: "eu-west-1"},
		"123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn":      {region: "cn-north-1"},
		"123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu":      {region: "eusc-de-east-1"},
		"123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com": {region: "us-gov-west-1", fips: true},
		"123456789012.dkr-ecr.eu-west-1.on.aws":                 {region: "eu-west-1", dualStack: true},
		"123456789012.dkr-ecr-fips.us-east-1.on.aws":            {region: "us-east-1", fips: true, dualStack: true},
		"public.ecr.aws": {public: true},
	} {
		got, ok := parseECR(host)
		if !ok || got.Region != want.region || got.FIPS != want.fips || got.dualStack != want.dualStack || got.public() != want.public {
			t.Errorf("%s: got %+v, %v", host, got, ok)
		}
	}
	if got, ok := parseECR("registry.example.com"); ok {
		t.Errorf("got %+v", got)
	}
}

// The repository of a cache is created with the encryption of the images', and without their policies. A
// build does not fail by a cache that it may do without.
func TestCacheRepositories(t *testing.T) {
	fake := fakeAWS(t)
	const cache, other = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/cache", "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/other"
	var notes []string
	r := &Repositories{
		AWS: keys, Create: true, Note: func(sentence string) { notes = append(notes, sentence) },
		Settings: RepositorySettings{ScanOnPush: true, TagMutability: "IMMUTABLE", Encryption: "AES256", LifecyclePolicy: `{"rules": []}`, Policy: `{"Statement": []}`},
	}
	caches := []Cache{{Ref: cache + ":main"}, {Ref: onECR + ":buildcache"}, {Ref: "registry.example.com/cache"}}
	if err := r.PrepareCaches(t.Context(), []string{onECR + ":1"}, caches); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"repositoryName": "team/cache", "registryId": "123456789012", "encryptionConfiguration": map[string]any{"encryptionType": "AES256"}}
	if got := fake.Repository("team/cache"); !reflect.DeepEqual(got, want) || !slices.Equal(fake.Actions(), []string{"ecr:CreateRepository"}) {
		t.Errorf("the repository was created with %v, want %v; the requests are %v", got, want, fake.Actions())
	}
	fake.Failures["ecr:CreateRepository"] = "AccessDeniedException"
	if err := r.PrepareCaches(t.Context(), nil, []Cache{{Ref: other, Optional: true}}); err != nil || !strings.Contains(notes[len(notes)-1], "the cache "+other+" may not be written: ") {
		t.Errorf("got %v and the notes %q", err, notes)
	}
	if err := r.PrepareCaches(t.Context(), nil, []Cache{{Ref: other}}); err == nil || !BadSettings(err) {
		t.Errorf("got %v, want a mistake", err)
	}
	r.Create = false
	if err := r.PrepareCaches(t.Context(), nil, []Cache{{Ref: other}}); err != nil {
		t.Error(err)
	}
}
