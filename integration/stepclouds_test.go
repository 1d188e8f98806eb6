package integration

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/secure-systems-lab/go-securesystemslib/encrypted"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/payload"

	"github.com/samforge/samforge/integration/testenv"
	"github.com/samforge/samforge/internal/registry/azurefake"
)

// An application of Azure pushes with a token that it trusts, and with its certificate.
func TestStepLogsInToAzure(t *testing.T) {
	t.Parallel()
	b, cloud := newStepBed(t, false)
	certificate, key, err := azurefake.NewCertificate()
	must(t, err)
	dir := checkout(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY app /app\n", "app": "app\n"})
	settings := []string{"PLUGIN_REGISTRY=yourregistry.azurecr.io", "PLUGIN_REPO=team/app", "CLIENT_ID=" + azurefake.ClientID, "TENANT_ID=" + azurefake.Tenant}
	cloud.Azure.IDToken, cloud.Azure.Certificate = "canary-of-the-token", certificate
	for name, with := range map[string][]string{
		"token":       {"PLUGIN_OIDC_TOKEN_ID=canary-of-the-token"},
		"certificate": {"CLIENT_CERTIFICATE=" + base64.StdEncoding.EncodeToString(key), "SSL_CERT_FILE=", "HARNESS_CA_PATH=" + cloud.CAFile},
	} {
		r := b.step(dir, append(append(settings, "PLUGIN_TAGS="+name), with...)...)
		b.wantStep(t, r, "yourregistry.azurecr.io/team/app:"+name)
		if all := r.stdout + r.stderr + b.Buildkitd.Log(); strings.Contains(all, "canary") || strings.Contains(all, azurefake.Password) {
			t.Errorf("a secret is shown:\n%s", all)
		}
	}
	t.Run("another directory", func(t *testing.T) {
		r := b.step(dir, append(settings, "TENANT_ID=contoso", "PLUGIN_OIDC_TOKEN_ID=canary-of-the-token")...)
		if r.code != 2 || !strings.Contains(r.stderr, `there is no directory "contoso"; check TENANT_ID`) || strings.Contains(r.stderr, "canary") {
			t.Errorf("exit code %d:\n%s", r.code, r.stderr)
		}
	})
}

// The step signs the index that it pushed, and its members, with a key that cosign has encrypted. A
// second run signs nothing again.
func TestStepSigns(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{Registry: testenv.RegistryOptions{ImmutableTags: true, TokenAuth: true, AnonymousPull: true, Users: map[string]testenv.Account{"ci": {Password: ciPassword, Push: true}}}})
	verifier, private, err := signature.NewDefaultECDSASignerVerifier()
	must(t, err)
	der, err := cryptoutils.MarshalPrivateKeyToDER(private)
	must(t, err)
	sealed, err := encrypted.Encrypt(der, []byte("canary-of-the-password"))
	must(t, err)
	key := string(pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED SIGSTORE PRIVATE KEY", Bytes: sealed}))
	dir := checkout(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY app /app\n", "app": "app\n"})
	repository := b.Registry.Addr + "/team/app"
	card := filepath.Join(t.TempDir(), "card.json")
	settings := []string{"DRONE_CARD_PATH=" + card, "PLUGIN_REPO=" + repository, "PLUGIN_TAGS=1,2", "PLUGIN_PLATFORM=linux/amd64,linux/arm64", "PLUGIN_USERNAME=ci", "PLUGIN_PASSWORD=" + ciPassword,
		"PLUGIN_COSIGN_PRIVATE_KEY=" + key, "PLUGIN_COSIGN_PASSWORD=canary-of-the-password", "PLUGIN_COSIGN_PARAMS=-a build=7 --recursive"}
	for range 2 {
		r := b.step(dir, settings...)
		digest := b.wantStep(t, r, repository+":1", repository+":2")
		if !strings.Contains(r.stderr, repository+"@"+digest+" is signed by ") || !strings.Contains(r.stderr, "no entry in a transparency log") {
			t.Errorf("the log does not say what is signed:\n%s", r.stderr)
		}
		if all := r.stdout + r.stderr + b.Buildkitd.Log(); strings.Contains(all, "canary") || strings.Contains(all, strings.Split(key, "\n")[1]) {
			t.Errorf("a secret is shown:\n%s", all)
		}
		parsed, err := name.ParseReference(repository + "@" + digest)
		must(t, err)
		found, err := remote.Index(parsed, remote.WithContext(t.Context()))
		must(t, err)
		index, err := found.IndexManifest()
		must(t, err)
		signed := []string{digest}
		for _, member := range index.Manifests {
			signed = append(signed, member.Digest.String())
		}
		if len(signed) != 3 {
			t.Fatalf("the index is %+v", index)
		}
		for _, digest := range signed {
			wantSignature(t, verifier, repository, digest)
		}
	}
	if data, err := os.ReadFile(card); err != nil || !strings.Contains(string(data), `"Architecture":"amd64"`) || !strings.Contains(string(data), repository+":2") {
		t.Errorf("the card is %s, %v", data, err)
	}
	for name, c := range map[string]struct {
		setting, want string
	}{
		"a wrong password": {"PLUGIN_COSIGN_PASSWORD=other", "PLUGIN_COSIGN_PASSWORD is not the password"},
		"no such key":      {"PLUGIN_COSIGN_PRIVATE_KEY=" + filepath.Join(dir, "cosign.key"), "PLUGIN_COSIGN_PRIVATE_KEY is neither"},
	} {
		t.Run(name, func(t *testing.T) {
			r := b.step(dir, append(settings, c.setting, "PLUGIN_TAGS=3", "BUILDKIT_HOST=tcp://127.0.0.1:1")...)
			if r.code != 2 || !strings.Contains(r.stderr, c.want) || strings.Contains(r.stderr, "canary") {
				t.Errorf("exit code %d:\n%s", r.code, r.stderr)
			}
		})
	}
}

// wantSignature checks that an image in a registry has exactly one signature, which is the verifier's,
// with the annotation build=7.
func wantSignature(t *testing.T, verifier signature.Verifier, repository, digest string) {
	t.Helper()
	parsed, err := name.ParseReference(repository + ":" + strings.Replace(digest, ":", "-", 1) + ".sig")
	must(t, err)
	image, err := remote.Image(parsed, remote.WithContext(t.Context()))
	must(t, err)
	manifest, err := image.Manifest()
	must(t, err)
	if len(manifest.Layers) != 1 || manifest.Layers[0].MediaType != "application/vnd.dev.cosign.simplesigning.v1+json" {
		t.Fatalf("the signatures of %s are %+v", digest, manifest)
	}
	layer, err := image.LayerByDigest(manifest.Layers[0].Digest)
	must(t, err)
	content, err := layer.Compressed()
	must(t, err)
	defer content.Close()
	text, err := io.ReadAll(content)
	must(t, err)
	signed, err := base64.StdEncoding.DecodeString(manifest.Layers[0].Annotations["dev.cosignproject.cosign/signature"])
	must(t, err)
	must(t, verifier.VerifySignature(bytes.NewReader(signed), bytes.NewReader(text)))
	var claim payload.Cosign
	must(t, claim.UnmarshalJSON(text))
	if claim.Image.DigestStr() != digest || claim.ClaimedIdentity != repository || claim.Annotations["build"] != "7" {
		t.Errorf("the signature of %s says %s", digest, text)
	}
}

// A step writes caches of every type, and a fresh builder has the steps from them. The keys of the
// cache in S3 come from the settings, and are nowhere else.
func TestStepCaches(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{})
	b.pushTools(b.Registry.Addr + "/base/tools:1")
	dir := checkout(t, map[string]string{"Dockerfile": "FROM " + b.Registry.Addr + "/base/tools:1 AS tools\nRUN head -c 32 /dev/urandom >/random\nFROM scratch\nCOPY --from=tools /random /random\n"})
	store, err := testenv.StartS3(aws.Credentials{AccessKeyID: "canary-of-the-access", SecretAccessKey: "canary-of-the-secret"}, testenv.AWSRegion)
	must(t, err)
	t.Cleanup(func() { must(t, store.Close()) })
	blobs, err := testenv.StartAzureBlobs("team")
	must(t, err)
	t.Cleanup(func() { must(t, blobs.Close()) })
	accountKey := base64.StdEncoding.EncodeToString([]byte("canary-of-the-account"))
	const keys = "access_key_id=harness_placeholder_aws_creds,secret_access_key=harness_placeholder_aws_creds"
	folder := filepath.Join(t.TempDir(), "cache")
	azure := "type=azure,account_name=team,container_name=caches,account_key=harness_placeholder_azure_creds,account_url=" + blobs.URL
	s3 := "type=s3,bucket=caches,prefix=app/,endpoint_url=" + store.URL + "," + keys
	random := func(t *testing.T, name string) string {
		t.Helper()
		image, err := b.Registry.ReadImage(t.Context(), b.Registry.Addr+"/team/"+name+":1", "linux/amd64")
		must(t, err)
		data, err := image.ReadFile("/random")
		must(t, err)
		return string(data)
	}
	for name, c := range map[string]struct{ to, from string }{
		"s3":       {s3 + ",mode=max", s3},
		"azure":    {azure + ",mode=max", azure},
		"registry": {"type=registry,mode=max,ref=" + b.Registry.Addr + "/cache:app", "type=registry,ref=" + b.Registry.Addr + "/cache:app"},
		"local":    {"type=local,mode=max,dest=" + folder, "type=local,src=" + folder},
		"inline":   {"type=inline", b.Registry.Addr + "/team/inline:1"},
	} {
		t.Run(name, func(t *testing.T) {
			settings := []string{
				"PLUGIN_REPO=" + b.Registry.Addr + "/team/" + name, "PLUGIN_TAGS=1", "PLUGIN_REGION=" + testenv.AWSRegion, "PLUGIN_PATH_STYLE=true", "PLUGIN_BUILDX_OPTIONS=--provenance=mode=max",
				"PLUGIN_HARNESS_SELF_HOSTED_S3_ACCESS_KEY=canary-of-the-access", "PLUGIN_HARNESS_SELF_HOSTED_S3_SECRET_KEY=canary-of-the-secret",
				"PLUGIN_HARNESS_SELF_HOSTED_AZURE_ACCOUNT_KEY=" + accountKey,
			}
			first := b.step(dir, append(settings, "PLUGIN_CACHE_TO="+c.to)...)
			first.ok(t)
			want := random(t, name)
			fresh := startBuildkitd(t, b.Registry, testenv.BuildkitdOptions{})
			again := b.step(dir, append(settings, "PLUGIN_CACHE_FROM="+c.from, "BUILDKIT_HOST="+fresh.Addr)...)
			again.ok(t)
			if got := random(t, name); got != want {
				t.Errorf("the step ran again:\n%s", again.stderr)
			}
			for what, text := range map[string]string{"the log": first.stdout + first.stderr + again.stdout + again.stderr, "buildkitd's log": b.Buildkitd.Log() + fresh.Log()} {
				if strings.Contains(text, "canary") || strings.Contains(text, accountKey) {
					t.Errorf("a key is in %s:\n%s", what, text)
				}
			}
			for _, root := range []string{b.Buildkitd.Root, fresh.Root} {
				wantNotKept(t, root, "canary", accountKey)
			}
		})
	}
	if len(store.Refused()) > 0 || store.Objects() == 0 {
		t.Errorf("S3 has %d objects, and refused %q", store.Objects(), store.Refused())
	}
	if len(blobs.Refused()) > 0 || blobs.Blobs() == 0 {
		t.Errorf("Azure has %d blobs, and refused %q", blobs.Blobs(), blobs.Refused())
	}
}

// wantNotKept checks that no file of a builder has one of the secrets, and that provenance is among them.
func wantNotKept(t *testing.T, root string, secrets ...string) {
	t.Helper()
	provenance := false
	must(t, filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || strings.Contains(name, "/snapshots/") {
			return err
		}
		data, err := os.ReadFile(name)
		provenance = provenance || bytes.Contains(data, []byte("slsa.dev/provenance"))
		for _, secret := range secrets {
			if bytes.Contains(data, []byte(secret)) {
				t.Errorf("%s is in %s", secret, name)
			}
		}
		return err
	}))
	if !provenance {
		t.Error("no provenance was found to look into")
	}
}
