package llbgen

import (
	"bytes"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/source"
)

// LockFilename returns the name of the lock file that belongs to a build file: samforge.lock beside
// samforge.yaml.
func LockFilename(filename string) string {
	return strings.TrimSuffix(filename, path.Ext(filename)) + ".lock"
}

// lockfileVersion is the version of the format that is read and written.
const lockfileVersion = "1"

// DigestKey is the key of an image's own digest, beside those of its platforms, in [Lockfile.Images].
const DigestKey = "digest"

// Lockfile pins what a build file names: the digest of every image, as a whole and for each
// platform, the checksum of every download, and the npm lock of the framework.
type Lockfile struct {
	// Name of the file, for messages.
	Name string
	// Images maps each reference to its digests: "digest" is what the reference points to, and a
	// platform ("linux/amd64") is the image for it.
	Images map[string]map[string]digest.Digest
	// Downloads are checksums by URL.
	Downloads map[string]digest.Digest
	// Packages are checksums of npm locks by package and version ("serverless@3.39.0").
	Packages map[string]digest.Digest

	doc *source.Document // the places of the entries, if it was read
}

// conflict matches what git writes around the two sides of a conflict.
var conflict = regexp.MustCompile(`(?m)^<{7} `)

// NewLockfile returns an empty lock file.
func NewLockfile(name string) *Lockfile {
	return &Lockfile{
		Name:      name,
		Images:    map[string]map[string]digest.Digest{},
		Downloads: map[string]digest.Digest{},
		Packages:  map[string]digest.Digest{},
		doc:       source.New(name, nil, source.Syntax{}),
	}
}

// ParseLockfile reads a lock file. Mistakes are returned together, as [source.Diagnostics].
func ParseLockfile(name string, data []byte) (*Lockfile, error) {
	l := NewLockfile(name)
	l.doc = source.New(name, data, source.Syntax{})
	if conflict.Match(data) {
		return nil, fmt.Errorf("%s has a conflict of a merge: take one side, or delete the file, and run samforge lock", name)
	}
	var content struct {
		Version   string                       `yaml:"version"`
		Images    map[string]map[string]string `yaml:"images"`
		Downloads map[string]string            `yaml:"downloads"`
		Packages  map[string]string            `yaml:"packages"`
	}
	l.doc.Decode(&content)
	switch {
	case l.doc.Count() > 0 || content.Version == lockfileVersion:
	case content.Version == "":
		l.doc.Errorf("version", "missing, so samforge did not write this file, or not all of it: delete it and run samforge lock")
	default:
		l.doc.Errorf("version", "found %q, and this samforge reads version %s: upgrade samforge, or delete the file and run samforge lock", content.Version, lockfileVersion)
	}
	for ref, entries := range content.Images {
		l.Images[ref] = l.digests("images."+ref, entries)
	}
	l.Downloads = l.digests("downloads", content.Downloads)
	l.Packages = l.digests("packages", content.Packages)
	if err := l.doc.Err(); err != nil {
		return nil, err
	}
	return l, nil
}

func (l *Lockfile) digests(path string, entries map[string]string) map[string]digest.Digest {
	parsed := make(map[string]digest.Digest, len(entries))
	for key, value := range entries {
		dgst, err := digest.Parse(value)
		if err != nil || dgst.Algorithm() != digest.SHA256 {
			l.doc.Errorf(source.Join(path, key), "%q is not a digest: expected sha256: and 64 hexadecimal digits", value)
		}
		parsed[key] = dgst
	}
	return parsed
}

// Marshal returns the text of the file, sorted and with comments for reviewers.
func (l *Lockfile) Marshal() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# What %s was locked to. `samforge lock` writes this file and every build reads it:\n"+
		"# commit it. `samforge lock --update` moves it on, `samforge outdated` tells whether there is a need.\n"+
		"version: %s\n", oneLine(strings.TrimSuffix(l.Name, ".lock")), lockfileVersion)
	if len(l.Images) > 0 {
		b.WriteString("\n# Images: what the reference points at, and in it the image for each platform.\nimages:\n")
	}
	for _, ref := range slices.Sorted(maps.Keys(l.Images)) {
		fmt.Fprintf(&b, "  %s:\n", yamlKey(ref))
		writeDigests(&b, "    ", l.Images[ref])
	}
	if len(l.Downloads) > 0 {
		b.WriteString("\n# Downloads: the checksum of the file.\ndownloads:\n")
		writeDigests(&b, "  ", l.Downloads)
	}
	if len(l.Packages) > 0 {
		b.WriteString("\n# npm packages: the checksum of the lock that pins all that they depend on.\npackages:\n")
		writeDigests(&b, "  ", l.Packages)
	}
	return b.Bytes()
}

func writeDigests(b *bytes.Buffer, indent string, digests map[string]digest.Digest) {
	for _, key := range slices.Sorted(maps.Keys(digests)) {
		fmt.Fprintf(b, "%s%s: %s\n", indent, yamlKey(key), digests[key])
	}
}

// plainKey matches keys that need no quotes in YAML: most URLs and all image references.
var plainKey = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9._/@%+=&?~-]|:[A-Za-z0-9._/@%+=&?~-])*$`)

// yamlKey returns a key as YAML, in quotes if it needs them.
func yamlKey(key string) string {
	if plainKey.MatchString(key) {
		return key
	}
	return strconv.QuoteToASCII(key) // its escapes are YAML's too
}

// oneLine returns text with a space for each character that could end a comment.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
}

// Add pins an input of an image.
func (l *Lockfile) Add(in Input) {
	switch in.Kind {
	case InputImage:
		if l.Images[in.Name] == nil {
			l.Images[in.Name] = map[string]digest.Digest{}
		}
		l.Images[in.Name][DigestKey] = in.Digest
		if in.Manifest != "" {
			l.Images[in.Name][platforms.Format(in.Platform)] = in.Manifest
		}
	case InputDownload:
		l.Downloads[in.Name] = in.Digest
	case InputPackage:
		l.Packages[in.Name] = in.Digest
	}
}

// Change is an entry that differs between two lock files.
type Change struct {
	// Name says what is locked: a reference, with its platform in parentheses, a URL, or a package.
	Name string
	// Before and After are its digests in the two lock files; empty if it is not in one.
	Before, After digest.Digest
}

// Diff returns what changes from l to after, by name. Either may be nil.
func (l *Lockfile) Diff(after *Lockfile) []Change {
	old, now := l.entries(), after.entries()
	names := slices.Collect(maps.Keys(old))
	for name := range now {
		if _, ok := old[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var changes []Change
	for _, name := range names {
		if old[name] != now[name] {
			changes = append(changes, Change{name, old[name], now[name]})
		}
	}
	return changes
}

func (l *Lockfile) entries() map[string]digest.Digest {
	entries := map[string]digest.Digest{}
	if l == nil {
		return entries
	}
	for ref, digests := range l.Images {
		for key, dgst := range digests {
			if key == DigestKey {
				entries[ref] = dgst
			} else {
				entries[ref+" ("+key+")"] = dgst
			}
		}
	}
	maps.Copy(entries, l.Downloads)
	maps.Copy(entries, l.Packages)
	return entries
}

// Pin is the entry of a lock file for an image on one platform.
type Pin struct {
	// Digest is what the reference pointed to.
	Digest digest.Digest
	// Manifest is the digest of the image for the platform.
	Manifest digest.Digest
}

// Pin returns the entry of an image for a platform, or the zero [Pin]. ref has a tag, such as
// docker.io/library/node:22. A nil lock file has no entries.
func (l *Lockfile) Pin(ref string, platform ocispecs.Platform) Pin {
	if l == nil {
		return Pin{}
	}
	return Pin{l.Images[ref][DigestKey], l.Images[ref][platforms.Format(platform)]}
}

// pin returns the lock file's entry for an image, or the zero Pin. It returns an error if the build
// is locked and there is no entry.
func (b *build) pin(field, ref string, platform ocispecs.Platform) (Pin, error) {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return Pin{}, nil // resolving it fails with a sentence
	}
	name := reference.TagNameOnly(named).String()
	if b.plan.lockfile == nil {
		return Pin{}, b.unlocked(field, name)
	}
	entry := b.plan.lockfile.Pin(name, platform)
	if entry.Digest == "" || entry.Manifest == "" {
		return Pin{}, b.unlocked(field, name+" for "+platforms.Format(platform))
	}
	return entry, nil
}

// lockedSum returns the checksum locked for name, or "". in chooses the map of the lock file.
func (b *build) lockedSum(field, name string, in func(*Lockfile) map[string]digest.Digest) (digest.Digest, error) {
	if l := b.plan.lockfile; l != nil {
		if sum, ok := in(l)[name]; ok {
			return sum, nil
		}
	}
	return "", b.unlocked(field, name)
}

// unlocked returns an error if the build is locked. Otherwise it warns, if there is a lock file.
func (b *build) unlocked(field, name string) error {
	l := b.plan.lockfile
	switch {
	case b.plan.locked && l == nil:
		return ErrNoLockfile(LockFilename(b.plan.doc.Filename()))
	case b.plan.locked:
		return fmt.Errorf("--locked, and %s does not have %s: run samforge lock", l.Name, name)
	case l != nil:
		b.warn(field, "%s does not have %s, so its current state is used: run samforge lock", l.Name, name)
	}
	return nil
}

// lockMismatch returns the error for an input that differs from its entry in the lock file.
func (b *build) lockMismatch(name string, locked, found digest.Digest, what string) error {
	return fmt.Errorf("%s has %s for %s, and %s is %s: if that is right, run samforge lock --update", b.plan.lockfile.Name, locked, name, what, found)
}

// ErrNoLockfile returns the error of a locked build that has no lock file of this name.
func ErrNoLockfile(name string) error {
	return fmt.Errorf("--locked, and there is no %s: make it with samforge lock, and commit it", name)
}

// Locked reads the build argument [LockedArg]: true or false, which it also is if it is not given.
func Locked(args map[string]string) (bool, error) {
	value := args[LockedArg]
	if value == "" {
		return false, nil
	}
	locked, err := strconv.ParseBool(value)
	if err != nil {
		return false, fmt.Errorf("%q is neither true nor false", value)
	}
	return locked, nil
}
