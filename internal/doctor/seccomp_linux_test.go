package doctor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// The profile is Docker's default for a container without capabilities, but for the calls listed
// here. Each was left out once, and then nothing could be built.
func TestSeccompProfileAddsOnlyWhatIsNeeded(t *testing.T) {
	t.Parallel()
	docker := map[string]bool{}
	for _, rule := range seccomp.DefaultProfile().Syscalls {
		if rule.Includes == nil || rule.Includes.Caps == nil {
			addCalls(docker, rule.LinuxSyscall)
		}
	}
	var added []string
	ours := map[string]bool{}
	for _, rule := range parseProfile(t).Syscalls {
		addCalls(ours, rule)
	}
	for call := range ours {
		if !docker[call] {
			added = append(added, call)
		}
	}
	slices.Sort(added)
	want := []string{
		"SCMP_ACT_ALLOW clone", // makes user namespaces
		"SCMP_ACT_ALLOW mount",
		"SCMP_ACT_ALLOW pivot_root",  // runc
		"SCMP_ACT_ALLOW sethostname", // runc
		"SCMP_ACT_ALLOW setns",       // runc
		"SCMP_ACT_ALLOW umount2",
		"SCMP_ACT_ALLOW unshare",   // runc
		"SCMP_ACT_ERRNO 38 keyctl", // without it, runc does not take the refusal for an old kernel
	}
	if !slices.Equal(added, want) {
		t.Errorf("it adds\n%s\nwant\n%s", strings.Join(added, "\n"), strings.Join(want, "\n"))
	}
	for call := range docker {
		if !ours[call] && !strings.HasPrefix(call, "SCMP_ACT_ALLOW clone") {
			t.Errorf("Docker's default profile has %s", call)
		}
	}
}

// addCalls adds one line for each call of a rule.
func addCalls(calls map[string]bool, rule specs.LinuxSyscall) {
	for _, name := range rule.Names {
		call := string(rule.Action)
		if rule.ErrnoRet != nil {
			call += fmt.Sprint(" ", *rule.ErrnoRet)
		}
		call += " " + name
		for _, arg := range rule.Args {
			call += fmt.Sprintf(" %d %s %d", arg.Index, arg.Op, arg.Value)
		}
		calls[call] = true
	}
}

// parseProfile reads the profile as containerd and CRI-O do, and fails the test if there is anything
// in it that they would not read.
func parseProfile(t *testing.T) (profile specs.LinuxSeccomp) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(SeccompProfile))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&profile); err != nil {
		t.Fatal(err)
	}
	return profile
}

// Docker reads the same from it. Both processors that samforge's image is for are in it.
func TestSeccompProfileIsForEveryEngine(t *testing.T) {
	t.Parallel()
	profile := parseProfile(t)
	for _, processor := range []specs.Arch{specs.ArchX86_64, specs.ArchAARCH64} {
		if !slices.Contains(profile.Architectures, processor) {
			t.Errorf("%s is missing", processor)
		}
	}
	docker, err := seccomp.LoadProfile(string(SeccompProfile), &specs.Spec{})
	if err != nil {
		t.Fatal(err)
	}
	got, want := map[string]bool{}, map[string]bool{}
	for _, rule := range docker.Syscalls {
		addCalls(got, rule)
	}
	for _, rule := range profile.Syscalls {
		addCalls(want, rule)
	}
	for call := range want {
		if !got[call] {
			t.Errorf("Docker does not read %s", call)
		}
	}
	if len(got) != len(want) || !slices.Equal(docker.Architectures, profile.Architectures) {
		t.Errorf("Docker reads %d calls for %v, want %d", len(got), docker.Architectures, len(want))
	}
}
