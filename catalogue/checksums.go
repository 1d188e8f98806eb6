package catalogue

import (
	_ "embed"
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"
	"go.yaml.in/yaml/v4"
)

//go:embed checksums.yaml
var checksumsYAML []byte

// dockerArchives is where Docker keeps its static archives, a directory for each machine.
const dockerArchives = "https://download.docker.com/linux/static/stable/"

// Checksums are known checksums of downloads whose vendor publishes none. checksums.yaml says where
// they come from.
type Checksums struct {
	// archives holds hexadecimal sha256 sums by file name and machine.
	archives map[string]map[string]string
}

// LoadChecksums parses the embedded checksums. Call it once and keep the result.
func LoadChecksums() (*Checksums, error) {
	var file struct {
		DockerArchives map[string]map[string]string `yaml:"dockerArchives"`
	}
	if err := yaml.Load(checksumsYAML, &file, yaml.WithKnownFields()); err != nil {
		return nil, fmt.Errorf("reading the embedded checksums: %w", err)
	}
	return &Checksums{archives: file.DockerArchives}, nil
}

// ForURL returns the checksum of the file at url, for amd64 or arm64. It knows Docker's static
// archives at Docker's own address only, as another host may serve another file under the same
// name. It returns false for a URL of another architecture than arch.
func (c *Checksums) ForURL(url, arch string) (digest.Digest, bool) {
	path, ok := strings.CutPrefix(url, dockerArchives)
	if !ok {
		return "", false
	}
	urlMachine, file, _ := strings.Cut(path, "/")
	if urlMachine != Machine(arch) {
		return "", false
	}
	return c.lookup(file, urlMachine)
}

func (c *Checksums) lookup(file, machine string) (digest.Digest, bool) {
	sum, ok := c.archives[file][machine]
	if !ok {
		return "", false
	}
	return digest.NewDigestFromEncoded(digest.SHA256, sum), true
}

// Machine returns what `uname -m` and Docker's archives call an architecture.
func Machine(arch string) string {
	switch arch {
	case "amd64":
		return "x86_64"
	case "arm64":
		return "aarch64"
	}
	return arch
}
