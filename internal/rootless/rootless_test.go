package rootless

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
)

// fake is a machine where everything is as it should be, with some files replaced.
func fake(files map[string]string) System {
	return System{
		UID: 1000,
		ReadFile: func(name string) ([]byte, error) {
			for _, known := range []map[string]string{files, {
				"/etc/passwd":        "root:x:0:0::/root:/bin/sh\nci:x:1000:1000::/home/ci:/bin/sh\n",
				"/etc/subuid":        "other:1:2\nci:100000:65536\n",
				"/etc/subgid":        "1000:100000:65536\n",
				"/proc/self/uid_map": "         0          0 4294967295\n",
				"/proc/self/status":  "Name:\tsamforge\nNoNewPrivs:\t0\nSeccomp:\t2\nCapEff:\t0000000000000000\nCapBnd:\t00000000a80425fb\n",
			}} {
				if text, ok := known[name]; ok {
					return []byte(text), nil
				}
			}
			return nil, fs.ErrNotExist
		},
		Gains: func(string, int) error { return nil },
	}
}

var helpers = Helpers{"/bin/rootlesskit", "/bin/newuidmap", "/bin/newgidmap"}

func TestSubordinateIDs(t *testing.T) {
	t.Parallel()
	if r := fake(nil).OneID(helpers); r != nil {
		t.Errorf("got %+v, want none", r)
	}
}

func TestOneIDSaysWhy(t *testing.T) {
	t.Parallel()
	plain := fake(nil)
	plain.Gains = func(program string, _ int) error { return errors.New(program + " is neither setuid root") }
	for name, tc := range map[string]struct {
		system  System
		helpers Helpers
		cause   Cause
		want    string
	}{
		"no rootlesskit":                  {fake(nil), Helpers{"", "/bin/newuidmap", "/bin/newgidmap"}, NoHelpers, "rootlesskit is neither"},
		"no newgidmap":                    {fake(nil), Helpers{"/bin/rootlesskit", "/bin/newuidmap", ""}, NoHelpers, "newgidmap is neither"},
		"allowPrivilegeEscalation: false": {fake(map[string]string{"/proc/self/status": "NoNewPrivs:\t1\n"}), helpers, NoEscalation, "no_new_privs"},
		"drop: [ALL]":                     {fake(map[string]string{"/proc/self/status": "CapBnd:\t0000000000000000\n"}), helpers, NoCapability, "dropped"},
		"a user without a name":           {fake(map[string]string{"/etc/passwd": "root:x:0:0::/root:/bin/sh\n"}), helpers, NoUser, "the user 1000 has no entry in /etc/passwd"},
		"no range of user ids":            {fake(map[string]string{"/etc/subuid": "cid:100000:65536\n"}), helpers, NoRange, "ci has no range in /etc/subuid"},
		"an empty range of group ids":     {fake(map[string]string{"/etc/subgid": "ci:100000:0\n"}), helpers, NoRange, "ci has no range in /etc/subgid"},
		"hostUsers: false":                {fake(map[string]string{"/proc/self/uid_map": "         0     200000      65536\n"}), helpers, NotMapped, "the ids 100000 to 165535, which /etc/subuid gives to ci, do not exist"},
		"groups that are not mapped":      {fake(map[string]string{"/proc/self/gid_map": "0 0 100000\n100001 100001 70000\n"}), helpers, NotMapped, "which /etc/subgid gives"},
		"newuidmap is an ordinary file":   {plain, helpers, NoPrivilege, "/bin/newuidmap is neither setuid root"},
	} {
		r := tc.system.OneID(tc.helpers)
		if r == nil || r.Cause != tc.cause || !strings.Contains(r.Sentence, tc.want) {
			t.Errorf("%s: got %+v, want %s: … %s", name, r, tc.cause, tc.want)
		}
	}
}

func TestStatusTakesWhatIsNotSaidAsAllowed(t *testing.T) {
	t.Parallel()
	s := fake(map[string]string{"/proc/self/status": ""}).Status()
	if s.NoNewPrivs || s.Seccomp || !s.Effective.Has(CapSysAdmin) || !s.Bounding.Has(CapSetUID) {
		t.Errorf("got %+v", s)
	}
}
