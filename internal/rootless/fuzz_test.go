package rootless_test

import (
	"os"
	"testing"

	"github.com/samforge/samforge/internal/rootless"
)

// FuzzOneID: whatever the files of a machine are, there is an answer, with a sentence if it is no.
func FuzzOneID(f *testing.F) {
	const status = "NoNewPrivs:\t0\nSeccomp:\t2\nCapEff:\t0000000000000000\nCapBnd:\t000001ffffffffff\n"
	f.Add("user:x:1000:1000::/:/bin/sh\n", "user:100000:65536\n", "         0          0 4294967295\n", status)
	f.Add("user:x:1000", "1000:0:1\nuser:1:-1\n", "0 100000 65536", "NoNewPrivs:\t1\n")
	f.Add("a:b:1000:", "a:1:18446744073709551615", "0 0 x", "CapBnd:\tzz\n")
	f.Add("", "", "", "")
	f.Fuzz(func(t *testing.T, passwd, subordinate, mapped, status string) {
		files := map[string]string{
			"/etc/passwd": passwd, "/etc/subuid": subordinate, "/etc/subgid": subordinate, "/proc/self/uid_map": mapped, "/proc/self/gid_map": mapped, "/proc/self/status": status,
		}
		s := rootless.System{
			UID: 1000,
			ReadFile: func(name string) ([]byte, error) {
				text, ok := files[name]
				if !ok {
					return nil, os.ErrNotExist
				}
				return []byte(text), nil
			},
			Gains: func(string, int) error { return nil },
		}
		reason := s.OneID(rootless.Helpers{RootlessKit: "rootlesskit", NewUIDMap: "newuidmap", NewGIDMap: "newgidmap"})
		if reason != nil && (reason.Sentence == "" || reason.Cause == rootless.NoHelpers || reason.Cause == rootless.NoPrivilege) {
			t.Errorf("the reason is %+v", reason)
		}
		if reason == nil && (passwd == "" || subordinate == "") {
			t.Error("a user without subordinate ids has several ids")
		}
	})
}
