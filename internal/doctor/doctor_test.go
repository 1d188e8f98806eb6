package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/samforge/samforge/internal/builder"
	"github.com/samforge/samforge/internal/registry"
	"github.com/samforge/samforge/internal/rootless"
)

const confinedStatus = "NoNewPrivs:\t0\nSeccomp:\t2\nCapEff:\t0000000000000000\nCapBnd:\t00000000a80425fb\n"

// machine is one where nothing stands in the way, with some files and variables replaced.
func machine(files, variables map[string]string) Machine {
	return Machine{
		System: rootless.System{UID: 1000, ReadFile: func(name string) ([]byte, error) {
			if text, ok := files[name]; ok {
				return []byte(text), nil
			}
			return nil, fs.ErrNotExist
		}},
		Getenv:       func(name string) string { return variables[name] },
		TryNamespace: func() error { return nil },
		TryOverlay:   func(string) error { return nil },
		HasFuse:      func() bool { return false },
		Disk:         func(string) (Disk, error) { return Disk{Free: 50 * gigabyte, Inodes: 1e6}, nil },
		Version:      func(_ context.Context, program string) string { return program + " v1" },
		Now:          func() time.Time { return time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC) },
	}
}

// lines returns the findings in the form of JSON's fields, so that a test can search all of them.
func lines(findings ...Finding) string {
	var text strings.Builder
	for _, f := range findings {
		fmt.Fprintf(&text, "%s %s: %s\n", f.Level, f.Check, f.Detail)
		for _, r := range f.Remedies {
			fmt.Fprintf(&text, "%s> %s\n", r.Where, r.Lines)
		}
	}
	return text.String()
}

func wantAll(t *testing.T, name, got string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(got, w) {
			t.Errorf("%s: %q is not in\n%s", name, w, got)
		}
	}
}

func TestUserNamespaces(t *testing.T) {
	t.Parallel()
	sysctl := func(name, value string) map[string]string {
		return map[string]string{"/proc/sys/" + name: value + "\n", "/proc/self/status": confinedStatus}
	}
	for name, tc := range map[string]struct {
		files map[string]string
		err   error
		want  []string
	}{
		"all is well":   {nil, nil, []string{"ok user namespaces"}},
		"a limit of 0":  {sysctl("user/max_user_namespaces", "0"), syscall.ENOSPC, []string{"problem", "the limit of user namespaces is 0", "host> sysctl -w user.max_user_namespaces=28633"}},
		"Debian's":      {sysctl("kernel/unprivileged_userns_clone", "0"), syscall.EPERM, []string{"problem", "to root only", "host> sysctl -w kernel.unprivileged_userns_clone=1"}},
		"Ubuntu's":      {sysctl("kernel/apparmor_restrict_unprivileged_userns", "1"), builder.ErrNoMounts, []string{"problem", "AppArmor takes", "host> sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"}},
		"seccomp":       {sysctl("x", ""), syscall.EPERM, []string{"problem", "seccomp filter", "docker run> --security-opt seccomp=seccomp.json", "Kubernetes> securityContext:\n  seccompProfile: {type: Localhost", "GitLab Runner> [runners.docker]\n  security_opt"}},
		"no mounts":     {map[string]string{"/proc/self/attr/current": "docker-default (enforce)\n"}, builder.ErrNoMounts, []string{"problem", "may not mount", "AppArmor profile docker-default (enforce)", "appArmorProfile: {type: Unconfined}"}},
		"something new": {map[string]string{"/proc/self/status": "Seccomp:\t0\n"}, syscall.EPERM, []string{"problem", "cannot be made (operation not permitted)"}},
	} {
		m := machine(tc.files, nil)
		m.TryNamespace = func() error { return tc.err }
		wantAll(t, name, lines(m.namespaces()), tc.want...)
	}
}

func TestUserIDs(t *testing.T) {
	t.Parallel()
	if got := lines(ids(nil, 1000)); !strings.HasPrefix(got, "ok user ids") {
		t.Error(got)
	}
	for cause, want := range map[rootless.Cause]string{
		rootless.NoEscalation: "Kubernetes> securityContext:\n  allowPrivilegeEscalation: true",
		rootless.NoCapability: "docker run> --cap-drop ALL --cap-add SETUID --cap-add SETGID",
		rootless.NoUser:       "host> useradd --uid 1000",
		rootless.NoRange:      "host> usermod --add-subuids 100000-165535",
		rootless.NotMapped:    "Kubernetes> hostUsers: true",
		rootless.NoHelpers:    "host> apt-get install uidmap",
		rootless.NoPrivilege:  "host> setcap cap_setuid=ep",
	} {
		got := lines(ids(&rootless.Reason{Cause: cause, Sentence: "This is so"}, 1000))
		wantAll(t, string(cause), got, "warning user ids: This is so: ", "only images whose files are root's", want)
	}
}

func TestRoot(t *testing.T) {
	t.Parallel()
	wantAll(t, "a host", lines(machine(map[string]string{"/proc/self/status": "CapEff:\t000001ffffffffff\n"}, nil).root()), "ok privileges")
	wantAll(t, "a container", lines(machine(map[string]string{"/proc/self/status": "CapEff:\t00000000a80425fb\n"}, nil).root()),
		"problem privileges", "no CAP_SYS_ADMIN", "--user 1000:1000", "runAsUser: 1000")
}

func TestDisk(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		disk Disk
		err  error
		want []string
	}{
		"much space":   {Disk{Free: 50 * gigabyte}, nil, []string{"ok disk: ", "in /cache, with 50.0 GB free"}},
		"little space": {Disk{Free: 5 * gigabyte}, nil, []string{"warning disk", "emptyDir: {sizeLimit: 20Gi}"}},
		"no space":     {Disk{Free: gigabyte / 2}, nil, []string{"problem disk"}},
		"few files":    {Disk{Free: 50 * gigabyte, Inodes: 5000}, nil, []string{"warning disk", "5000 files"}},
		"not writable": {Disk{}, fs.ErrPermission, []string{"problem disk", "/cache, which cannot be used: permission denied", "XDG_CACHE_HOME="}},
	} {
		m := machine(nil, nil)
		m.Disk = func(string) (Disk, error) { return tc.disk, tc.err }
		wantAll(t, name, lines(m.disk("/cache")...), tc.want...)
	}
	m := machine(nil, nil)
	wantAll(t, "a read-only root", lines(m.temporary()), "ok temporary files: /tmp")
	m.Disk = func(string) (Disk, error) { return Disk{}, errors.New("read-only file system") }
	wantAll(t, "a read-only root", lines(m.temporary()), "problem temporary files: /tmp cannot be used: read-only file system", "docker run> --tmpfs /tmp", "mountPath: /tmp")
}

func TestSnapshots(t *testing.T) {
	t.Parallel()
	m := machine(nil, nil)
	wantAll(t, "a volume", lines(m.snapshots("/cache")), "ok snapshots: BuildKit can use overlayfs")
	m.TryOverlay = func(string) error { return syscall.EINVAL }
	wantAll(t, "the container's overlay", lines(m.snapshots("/cache")), "warning snapshots: overlayfs cannot be used in that folder (invalid argument)", "copies all files", "--volume samforge:", "emptyDir")
	m.HasFuse = func() bool { return true }
	wantAll(t, "with fuse-overlayfs", lines(m.snapshots("/cache")), "ok snapshots", "fuse-overlayfs takes its place")
}

// What a machine without mounts could do with snapshots is not said.
func TestSnapshotsAreCheckedOnlyWhereThereAreMounts(t *testing.T) {
	t.Parallel()
	m := machine(nil, nil)
	if got := lines(m.private(&builder.PrivateSurvey{CacheDir: "/cache"})...); !strings.Contains(got, "ok snapshots") {
		t.Error(got)
	}
	m.TryNamespace = func() error { return syscall.EPERM }
	if got := lines(m.private(&builder.PrivateSurvey{CacheDir: "/cache"})...); strings.Contains(got, "snapshots") {
		t.Error(got)
	}
}

func TestProxies(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		variables map[string]string
		want      []string
	}{
		"none":              {nil, []string{"ok proxies: none"}},
		"with exceptions":   {map[string]string{"HTTPS_PROXY": "http://u:s3cret99@proxy:3128", "no_proxy": "10.0.0.0/8"}, []string{"ok proxies", "HTTPS_PROXY=http://xxxxxxxxxx@proxy:3128", "not those to 10.0.0.0/8"}},
		"no exceptions":     {map[string]string{"https_proxy": "proxy:3128"}, []string{"warning proxies", "NO_PROXY=localhost"}},
		"no address at all": {map[string]string{"HTTP_PROXY": "http://"}, []string{"problem proxies: HTTP_PROXY is no address of a proxy"}},
	} {
		wantAll(t, name, lines(machine(nil, tc.variables).proxies()), tc.want...)
	}
}

func TestAuthorities(t *testing.T) {
	t.Parallel()
	const bundle = "/etc/ssl/certs/ca-certificates.crt"
	pem := testCertificate(t, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	old := testCertificate(t, time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC))
	next := testCertificate(t, time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC))
	for name, tc := range map[string]struct {
		files, variables map[string]string
		want             []string
	}{
		"the system's":             {map[string]string{bundle: pem + pem}, nil, []string{"ok certificate authorities: " + bundle + " has 2"}},
		"none":                     {nil, nil, []string{"problem certificate authorities", "ca-certificates", "SSL_CERT_FILE"}},
		"your own":                 {map[string]string{"/ca.pem": pem}, map[string]string{"SSL_CERT_FILE": "/ca.pem"}, []string{"ok", "has 1, which replace"}},
		"your own is missing":      {map[string]string{bundle: pem}, map[string]string{"SSL_CERT_FILE": "/ca.pem"}, []string{"problem", "SSL_CERT_FILE cannot be read"}},
		"your own is no PEM":       {map[string]string{"/ca.pem": "DER"}, map[string]string{"SSL_CERT_FILE": "/ca.pem"}, []string{"problem", "/ca.pem has no certificate in PEM form"}},
		"a folder of your own":     {nil, map[string]string{"SSL_CERT_DIR": "/certs"}, []string{"ok", "SSL_CERT_DIR=/certs"}},
		"an empty system bundle":   {map[string]string{bundle: ""}, nil, []string{"problem"}},
		"Harness's":                {map[string]string{bundle: pem, "/ca.pem": pem}, map[string]string{"HARNESS_CA_PATH": "/ca.pem"}, []string{bundle + " has 1", "ok certificate authorities: HARNESS_CA_PATH=/ca.pem has 1"}},
		"Harness's is missing":     {map[string]string{bundle: pem}, map[string]string{"HARNESS_CA_PATH": "/ca.pem"}, []string{"problem certificate authorities: HARNESS_CA_PATH cannot be read", "docker run> --volume /ca.pem:/ca.pem:ro --env HARNESS_CA_PATH=/ca.pem"}},
		"Harness's is no PEM":      {map[string]string{bundle: pem, "/ca.pem": "DER"}, map[string]string{"HARNESS_CA_PATH": "/ca.pem"}, []string{"problem certificate authorities: HARNESS_CA_PATH=/ca.pem has no certificate in PEM form"}},
		"one is expired":           {map[string]string{bundle: pem, "/ca.pem": pem + old}, map[string]string{"HARNESS_CA_PATH": "/ca.pem"}, []string{"warning", "the certificate of CN=company expired on 2021-01-01", "anywhere> put a certificate of that authority that is valid now into /ca.pem"}},
		"a public root is expired": {map[string]string{"/ca.pem": strings.Repeat(pem, publicBundle) + old}, map[string]string{"SSL_CERT_FILE": "/ca.pem"}, []string{"ok certificate authorities: SSL_CERT_FILE=/ca.pem has 51", "; 1 of them not valid today"}},
		"one is not valid yet":     {map[string]string{"/ca.pem": next}, map[string]string{"SSL_CERT_FILE": "/ca.pem"}, []string{"warning", "is valid from 2027-01-01 only: is the clock right?"}},
	} {
		wantAll(t, name, lines(machine(tc.files, tc.variables).network()...), tc.want...)
	}
}

// registries is a fake: it accepts every login as user, unless an error is set.
type registries struct {
	user          string
	login, push   error
	mounts, known bool
	mounting      error
}

func (r registries) Login(context.Context, string) (string, error) { return r.user, r.login }
func (r registries) MayPush(context.Context, string) error         { return r.push }
func (r registries) Mounts(context.Context, string, string) (mounts, known bool, err error) {
	return r.mounts, r.known, r.mounting
}

func TestRegistries(t *testing.T) {
	t.Parallel()
	refused := errors.New("refused")
	for name, tc := range map[string]struct {
		target string
		client registries
		want   []string
	}{
		"a host":                    {"r.example.com", registries{user: "ci"}, []string{"ok registry r.example.com: it accepts the credentials of ci"}},
		"no credentials":            {"r.example.com", registries{}, []string{"warning", "docker login r.example.com", ".dockerconfigjson"}},
		"wrong credentials":         {"r.example.com", registries{login: refused}, []string{"problem registry r.example.com: refused", "DOCKER_AUTH_CONFIG"}},
		"an image to push":          {"r.example.com/app:1", registries{user: "ci"}, []string{"ok registry r.example.com/app:1: images can be pushed"}},
		"an image not to be pushed": {"r.example.com/app:1", registries{user: "ci", push: refused}, []string{"problem", "cannot be pushed: refused"}},
	} {
		wantAll(t, name, lines(checkRegistry(t.Context(), tc.client, tc.target, "")...), tc.want...)
	}
}

// Nobody can log in to a host that is not there.
func TestRegistryThatIsNotThere(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("log in to r.example.com: %w", &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "r.example.com"}})
	if got := remediesFor(err, "r.example.com"); len(got) != 1 || !strings.Contains(got[0].Lines, "check the name r.example.com") {
		t.Errorf("got %v", got)
	}
	if got := remediesFor(errors.New("denied"), "r.example.com"); !strings.Contains(got[0].Lines, "docker login r.example.com") {
		t.Errorf("got %v", got)
	}
}

func TestMounts(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		client registries
		want   []string
	}{
		"it mounts":         {registries{mounts: true, known: true}, []string{"ok layers of r.example.com/base:1: the registry mounts them in r.example.com/app"}},
		"it does not":       {registries{known: true}, []string{"warning", "a builder downloads and sends them", "Amazon ECR> aws ecr put-account-setting"}},
		"nobody knows":      {registries{}, []string{"ok", "check again after the first push"}},
		"other credentials": {registries{mounting: &registry.Error{Sentence: "closed", Err: &transport.Error{StatusCode: 403}}}, []string{"warning", "the credentials for r.example.com/app may not read that repository"}},
		"other registries":  {registries{mounting: errors.New("in different registries")}, []string{"warning", "in different registries"}},
	} {
		tc.client.user = "ci"
		wantAll(t, name, lines(checkRegistry(t.Context(), tc.client, "r.example.com/app:1", "r.example.com/base:1")...), tc.want...)
	}
}

func TestBuilders(t *testing.T) {
	t.Parallel()
	down := []builder.Attempt{{What: "Docker engine unix:///d.sock", Err: errors.New("no such file")}}
	for name, tc := range map[string]struct {
		survey *builder.Survey
		err    error
		want   []string
	}{
		"a named one that does not answer": {nil, errors.New("connect to the builder tcp://b:1: refused"), []string{"problem builder: connect to the builder tcp://b:1", "unset BUILDKIT_HOST"}},
		"none": {&builder.Survey{Tried: down, Private: &builder.PrivateSurvey{Err: errors.New("buildkitd is neither beside samforge nor on PATH")}}, nil,
			[]string{"problem builder", "buildkitd is neither", "not used: Docker engine unix:///d.sock: no such file", "put buildkitd, runc and rootlesskit"}},
		"a private one": {&builder.Survey{Tried: down, Private: &builder.PrivateSurvey{Buildkitd: "/bin/buildkitd", Runc: "/bin/runc"}}, nil,
			[]string{"ok builder", "without root: /bin/buildkitd (/bin/buildkitd v1)", "not used: Docker engine", "ok runc: /bin/runc (/bin/runc v1)"}},
		"a private one without runc": {&builder.Survey{Private: &builder.PrivateSurvey{Buildkitd: "/bin/buildkitd", Root: true}}, nil,
			[]string{"ok builder", "as root", "warning runc", "SAM images can be built"}},
	} {
		wantAll(t, name, lines(machine(nil, nil).builders(t.Context(), tc.survey, tc.err)...), tc.want...)
	}
}

func TestOlderStore(t *testing.T) {
	t.Parallel()
	wantAll(t, "Docker 20.10", lines(olderStore("docker engine would build")), "warning builder: docker engine would build: it has Docker's older image store", "different digest", "containerd-snapshotter", "--builder ADDRESS")
}

func TestOnlyProblemsAreInTheWay(t *testing.T) {
	t.Parallel()
	if InTheWay([]Finding{{Level: OK}, {Level: Warning}}) || !InTheWay([]Finding{{Level: OK}, {Level: Problem}}) {
		t.Error("a warning is in the way, or a problem is not")
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	var got strings.Builder
	err := Write(&got, []Finding{
		ok("disk", "much"),
		{"user ids", Warning, "one id\nnot two", []Remedy{{"Kubernetes", "securityContext:\n  allowPrivilegeEscalation: true"}, {"host", "usermod"}}},
	})
	const want = `ok       disk: much
warning  user ids: one id
         not two
         Kubernetes:
           securityContext:
             allowPrivilegeEscalation: true
         host: usermod
`
	if err != nil || got.String() != want {
		t.Errorf("got (%v)\n%s\nwant\n%s", err, got.String(), want)
	}
}
