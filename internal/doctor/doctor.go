// Package doctor says what of this machine, pod and registries stands in the way of a build, and
// what mends it.
//
// Check asks a [Machine] and judges the answers. This returns the real machine.
package doctor

import (
	"context"
	"time"

	"github.com/samforge/samforge/internal/builder"
	"github.com/samforge/samforge/internal/rootless"
)

// Level says how much a finding matters.
type Level string

// The levels of a finding.
const (
	OK      Level = "ok"
	Warning Level = "warning" // some builds fail, or are slow
	Problem Level = "problem" // stands in the way of every build
)

// Finding is the result of one check.
type Finding struct {
	Check    string   `json:"check"` // "user namespaces"
	Level    Level    `json:"level"`
	Detail   string   `json:"detail"` // a sentence
	Remedies []Remedy `json:"remedies,omitempty"`
}

// Remedy is what mends a finding in one place.
type Remedy struct {
	Where string `json:"where"` // "docker run", "Kubernetes", "GitLab Runner", "host"
	Lines string `json:"lines"` // to copy, one or more
}

// Machine is what the checks see. Tests replace its functions.
type Machine struct {
	rootless.System
	Getenv func(name string) string
	// TryNamespace makes a user namespace, see [builder.TryNamespace].
	TryNamespace func() error
	// TryOverlay mounts an overlay in a folder, see [builder.TryOverlay].
	TryOverlay func(folder string) error
	// HasFuse reports whether buildkitd can start fuse-overlayfs.
	HasFuse func() bool
	// Disk describes the file system that a folder is on, or will be on when it is created.
	Disk func(folder string) (Disk, error)
	// Version returns the first line that a program prints for --version.
	Version func(ctx context.Context, program string) string
	Now     func() time.Time
}

// Disk describes a file system.
type Disk struct {
	Free   uint64 // bytes for this user
	Inodes uint64 // that are free; 0 if the file system does not count them
}

// Options say what to check besides the machine.
type Options struct {
	Builders   []string // addresses; without one, a build looks for a builder
	Builder    builder.Options
	Registries []string // hosts, or images to push
	MountFrom  string   // an image whose layers are to be mounted in those images' repositories; or ""
	Client     Registry // asks them
}

// Check returns the findings, in a fixed order. It builds nothing and starts no builder.
func Check(ctx context.Context, m Machine, opt Options) []Finding {
	var findings []Finding
	for _, of := range opt.builders() {
		findings = append(findings, m.lookAt(ctx, of)...)
	}
	findings = append(findings, m.network()...)
	for _, target := range opt.Registries {
		findings = append(findings, checkRegistry(ctx, opt.Client, target, opt.MountFrom)...)
	}
	return findings
}

// builders returns the options of each builder.
func (o Options) builders() (all []builder.Options) {
	if len(o.Builders) == 0 {
		return []builder.Options{o.Builder}
	}
	for _, address := range o.Builders {
		of := o.Builder
		of.Address = address
		all = append(all, of)
	}
	return all
}

// lookAt checks a builder, and the machine if samforge would start the builder here.
func (m Machine) lookAt(ctx context.Context, opt builder.Options) []Finding {
	survey, err := builder.Look(ctx, opt)
	findings := m.builders(ctx, survey, err)
	if survey != nil && survey.Builder != nil {
		_ = survey.Builder.Close()
	}
	if survey != nil && survey.Private != nil && survey.Private.Err == nil {
		findings = append(findings, m.private(survey.Private)...)
	}
	return findings
}

// InTheWay reports whether a finding is a problem.
func InTheWay(findings []Finding) bool {
	for _, f := range findings {
		if f.Level == Problem {
			return true
		}
	}
	return false
}

func ok(check, detail string) Finding { return Finding{Check: check, Level: OK, Detail: detail} }
