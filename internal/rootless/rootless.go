// Package rootless says whether a user without root can have a user namespace, and with how many
// ids. It only looks: builder starts a rootless buildkitd accordingly, and doctor explains it.
package rootless

import (
	"bufio"
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// System is what this package sees of the machine. Tests replace its functions.
type System struct {
	UID      int
	ReadFile func(name string) ([]byte, error)
	// Gains returns nil if a program gets a capability when it is executed: by being setuid root
	// or by a capability of its file.
	Gains func(program string, capability int) error
}

// Numbers of capabilities(7).
const (
	CapSetGID   = 6
	CapSetUID   = 7
	CapSysAdmin = 21
)

// Cause says why there is only one id.
type Cause string

// The causes, in the order in which OneID looks for them.
const (
	NoHelpers    Cause = "no helpers"    // rootlesskit, newuidmap or newgidmap is not installed
	NoEscalation Cause = "no escalation" // no_new_privs is set
	NoCapability Cause = "no capability" // the container has dropped CAP_SETUID or CAP_SETGID
	NoUser       Cause = "no user"       // the user has no entry in /etc/passwd
	NoRange      Cause = "no range"      // no subordinate ids
	NotMapped    Cause = "not mapped"    // the container has a user namespace without the subordinate ids
	NoPrivilege  Cause = "no privilege"  // newuidmap or newgidmap is an ordinary program
)

// Reason is why a user namespace can have only one id.
type Reason struct {
	Cause    Cause
	Sentence string
}

// Helpers are the paths of the programs that make a user namespace with several ids; "" for one
// that is not installed.
type Helpers struct{ RootlessKit, NewUIDMap, NewGIDMap string }

// OneID returns why a user namespace can have only the user's own id, or nil if it can have the
// user's subordinate ids too. See newuidmap(1), subuid(5) and the kernel's no_new_privs.txt.
func (s System) OneID(h Helpers) *Reason {
	for _, helper := range []struct{ name, path string }{
		{"rootlesskit", h.RootlessKit}, {"newuidmap", h.NewUIDMap}, {"newgidmap", h.NewGIDMap},
	} {
		if helper.path == "" {
			return &Reason{NoHelpers, helper.name + " is neither beside samforge nor on PATH"}
		}
	}
	status := s.Status()
	if status.NoNewPrivs {
		return &Reason{NoEscalation, "privileges must not escalate here (no_new_privs), so newuidmap cannot map ids"}
	}
	if !status.Bounding.Has(CapSetUID) || !status.Bounding.Has(CapSetGID) {
		return &Reason{NoCapability, "the capabilities SETUID and SETGID are dropped here, so newuidmap cannot map ids"}
	}
	name := s.username()
	if name == "" {
		return &Reason{NoUser, fmt.Sprintf("the user %d has no entry in /etc/passwd, so it has no subordinate ids", s.UID)}
	}
	for _, kind := range []string{"uid", "gid"} {
		file := "/etc/sub" + kind
		ids := s.subordinate(file, name)
		if len(ids) == 0 {
			return &Reason{NoRange, fmt.Sprintf("the user %s has no range in %s", name, file)}
		}
		for _, r := range ids {
			if !s.has("/proc/self/"+kind+"_map", r) {
				return &Reason{NotMapped, fmt.Sprintf("the ids %d to %d, which %s gives to %s, do not exist in the user namespace of this container", r.first, r.first+r.count-1, file, name)}
			}
		}
	}
	for _, helper := range []struct {
		path       string
		capability int
	}{{h.NewUIDMap, CapSetUID}, {h.NewGIDMap, CapSetGID}} {
		if err := s.Gains(helper.path, helper.capability); err != nil {
			return &Reason{NoPrivilege, err.Error()}
		}
	}
	return nil
}

// username returns the user's name in /etc/passwd, or "". Go's os/user takes $USER for the name of
// a user without an entry; newuidmap does not.
func (s System) username() string {
	text, _ := s.ReadFile("/etc/passwd")
	for line := range strings.Lines(string(text)) {
		if fields := strings.Split(line, ":"); len(fields) > 2 && fields[2] == strconv.Itoa(s.UID) {
			return fields[0]
		}
	}
	return ""
}

// idRange is a range of user or group ids.
type idRange struct{ first, count uint64 }

// subordinate returns the user's ranges in a file in the form of subuid(5).
func (s System) subordinate(file, name string) (ranges []idRange) {
	text, _ := s.ReadFile(file)
	for line := range strings.Lines(string(text)) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) != 3 || fields[0] != name && fields[0] != strconv.Itoa(s.UID) {
			continue
		}
		first, err := strconv.ParseUint(fields[1], 10, 32)
		count, err2 := strconv.ParseUint(fields[2], 10, 32)
		if err == nil && err2 == nil && count > 0 {
			ranges = append(ranges, idRange{first, count})
		}
	}
	return ranges
}

// has reports whether the user namespace of this process has a range of ids, by one line of its
// uid_map or gid_map: see user_namespaces(7). A map that cannot be read is taken for that of a
// machine, which has all ids.
func (s System) has(mapFile string, r idRange) bool {
	text, err := s.ReadFile(mapFile)
	if err != nil {
		return true
	}
	for line := range strings.Lines(string(text)) {
		var inside, outside, count uint64
		if _, err := fmt.Sscan(line, &inside, &outside, &count); err == nil && inside <= r.first && r.first+r.count <= inside+count {
			return true
		}
	}
	return false
}

// Capabilities is a set of capabilities, one bit each.
type Capabilities uint64

// Has reports whether the set has a capability, given by its number.
func (c Capabilities) Has(number int) bool { return c&(1<<number) != 0 }

// Status is what /proc/self/status says of privileges.
type Status struct {
	NoNewPrivs          bool
	Seccomp             bool // a filter restricts system calls
	Effective, Bounding Capabilities
}

// Status reads /proc/self/status. What the kernel does not say is taken as not restricted.
func (s System) Status() Status {
	text, _ := s.ReadFile("/proc/self/status")
	status := Status{Effective: ^Capabilities(0), Bounding: ^Capabilities(0)}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimSpace(value)
		switch name {
		case "NoNewPrivs":
			status.NoNewPrivs = value == "1"
		case "Seccomp":
			status.Seccomp = value == "2"
		case "CapEff":
			status.Effective = capabilities(value)
		case "CapBnd":
			status.Bounding = capabilities(value)
		}
	}
	return status
}

func capabilities(hex string) Capabilities {
	bits, err := strconv.ParseUint(hex, 16, 64)
	if err != nil {
		return ^Capabilities(0)
	}
	return Capabilities(bits)
}
