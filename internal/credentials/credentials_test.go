package credentials_test

import (
	"testing"

	"github.com/samforge/samforge/internal/credentials"
)

func TestMask(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		// With credentials.
		"https://ci:hunter2@example.com/x":              "https://xxxxxxxxxx@example.com/x",
		"HTTPS://token@github.com/a/b.git#main":         "HTTPS://xxxxx@github.com/a/b.git#main",
		"git+https://token@github.com/a/b.git":          "git+https://xxxxx@github.com/a/b.git",
		"tcp://ci:pä@ss@builder:1234":                   "tcp://xxxxxxxx@builder:1234",
		"ssh://ci:hunter2@builder":                      "ssh://xxxxxxxxxx@builder",
		"http://:x@a/=https://b@c/":                     "http://xx@a/=https://x@c/",
		"archive: 'https://ci:hunter2@example.com/x' #": "archive: 'https://xxxxxxxxxx@example.com/x' #",
		"https://ci:hun/ter2@example.com/x":             "https://xxxxxxxxxxx@example.com/x",
		"https://ci:hun#ter2@example.com/x.git":         "https://xxxxxxxxxxx@example.com/x.git",
		"docker-container://ci:hunter2@builder":         "docker-container://xxxxxxxxxx@builder",
		"unix://ci:hunter2@/run/x":                      "unix://xxxxxxxxxx@/run/x",
		"docker-image://ci:hunter2@example.com/x":       "docker-image://xxxxxxxxxx@example.com/x",

		// Without.
		"https://example.com/a@v1":            "",
		"https://example.com?to=a@b":          "",
		"https://example.com#a@b":             "",
		"https://a.example.com, b@c":          "",
		"git@github.com:a/b.git":              "",
		"ssh://git@github.com/a/b.git":        "",
		"git+ssh://git@github.com:22/a/b.git": "",
		"docker-image://alpine@sha256:0123":   "",
		"docker-image://alpine:3@sha256:0123": "",
		"docker-image://h:5000/x:1@sha256:01": "",
		"https://example.com:443/@scope/x":    "",
		"https://[::1]:443/@scope/x":          "",
		"https://example.com: to a@b":         "",
		"oci-layout://layout@sha256:0123":     "",
		"kube-pod://buildkitd":                "",
		"unix:///run/a@b.sock":                "",
	} {
		if got := credentials.In(text); got != (want != "") {
			t.Errorf("In(%q) is %v", text, got)
		}
		if want == "" {
			want = text
		}
		if got := credentials.Mask(text); got != want {
			t.Errorf("Mask(%q) = %q", text, got)
		}
	}
}

func TestLooksSecret(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"NPM_TOKEN": true, "npm_password": true, "DB_PASSWD": true, "APIKEY": true, "AWS_SECRET_ACCESS_KEY": true,
		"PUBLIC_KEY": false, "TOKEN_FILE": false, "KEYBOARD": false, "VERSION": false, "": false,
	} {
		if credentials.LooksSecret(name) != want {
			t.Errorf("%q looks secret: %t", name, !want)
		}
	}
}
