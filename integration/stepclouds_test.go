package integration

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/samforge/samforge/internal/registry/azurefake"
)

// An application of Azure pushes with a token that it trusts, and with its certificate.
func TestStepLogsInToAzure(t *testing.T) {
	t.Parallel()
	b, aws := newStepBed(t, false)
	certificate, key, err := azurefake.NewCertificate()
	must(t, err)
	dir := checkout(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY app /app\n", "app": "app\n"})
	settings := []string{"PLUGIN_REGISTRY=yourregistry.azurecr.io", "PLUGIN_REPO=team/app", "CLIENT_ID=" + azurefake.ClientID, "TENANT_ID=" + azurefake.Tenant}
	aws.Azure.IDToken, aws.Azure.Certificate = "canary-of-the-token", certificate
	for name, setting := range map[string]string{"token": "PLUGIN_OIDC_TOKEN_ID=canary-of-the-token", "certificate": "CLIENT_CERTIFICATE=" + base64.StdEncoding.EncodeToString(key)} {
		r := b.step(dir, append(settings, setting, "PLUGIN_TAGS="+name)...)
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
