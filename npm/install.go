package npm

import (
	"embed"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
)

// Registry is the address of npm's default registry.
const Registry = "https://registry.npmjs.org/"

// Secrets that npm uses if the build has them.
const (
	// SecretNPMRC is an npm configuration, for a registry that wants credentials.
	SecretNPMRC = "npmrc"
	// SecretCA is a bundle of certificates to trust beside Node.js's own.
	SecretCA = "ca"
)

// tokens are secrets that the npm configuration can use as variables, by their usual names:
// //HOST/:_authToken=${NPM_TOKEN}.
func tokens() []string { return []string{"NPM_TOKEN", "NODE_AUTH_TOKEN"} }

// Secrets returns the names of the secrets that a step can use. All are optional.
func Secrets() []string { return append([]string{SecretNPMRC, SecretCA}, tokens()...) }

// Where npm works during the step.
const (
	workDir  = "/samforge/install"
	layerDir = "/samforge/layer"
	cacheDir = "/samforge/npm-cache"
	checkDir = "/samforge/npm-check"
	npmrc    = "/samforge/npmrc"
	caBundle = "/samforge/ca.pem"
)

// nodeProgram is Node.js in Lambda's images and in those built on them.
const nodeProgram = "/var/lang/bin/node"

// scripts run npm in the node image, and check what it installed.
//
//go:embed scripts/*.cjs
var scripts embed.FS

// installScripts and checkScripts are what install.cjs and check.cjs need.
func installScripts() []string {
	return []string{"install.cjs", "explain.cjs", "lock.cjs", "npmrc.cjs", "progress.cjs", "run.cjs", "tidy.cjs"}
}

func checkScripts() []string { return []string{"check.cjs", "lock.cjs"} }

// addScripts adds scripts to the files of a folder; nil begins one.
func addScripts(files *llb.FileAction, names []string) *llb.FileAction {
	for _, name := range names {
		data, _ := scripts.ReadFile("scripts/" + name) // a test reads them all
		if files == nil {
			files = llb.Mkfile("/"+name, 0o644, data)
		} else {
			files = files.Mkfile("/"+name, 0o644, data)
		}
	}
	return files
}

// Install describes how an npm package is installed into an image.
type Install struct {
	Lock *Lock
	// Prefix is a folder in the image. The package goes into its node_modules, the commands into
	// its bin.
	Prefix string
	// Program is the file of the package that the commands start, such as bin/serverless.js.
	Program string
	// Commands are the names that start the program.
	Commands []string
	// Registry is the registry that npm downloads from.
	Registry string
}

// Step says how npm runs: in an image that has Node.js, on the builder's own platform.
type Step struct {
	// Node is the root of the image that npm runs in, and Env its environment.
	Node llb.State
	Env  []string
	// Arch is the architecture to install for, by its OCI name: amd64, arm64.
	Arch string
	// Epoch is the time of every file.
	Epoch time.Time
	// Run are the network, hosts and limits of the step; optional.
	Run []llb.RunOption
	// CacheNamespace separates npm's cache from that of other builds; optional.
	CacheNamespace string
	// Name returns the constraints of a step, its name among them.
	Name func(format string, args ...any) []llb.ConstraintsOpt
}

// Layer returns the file system of the installed package. Use it as a layer, without a copy:
// copying twenty thousand files takes time. It depends only on the lock and on the image that npm
// runs in, so all images with the package share it.
func (i Install) Layer(s Step) llb.State {
	args := []string{nodeProgram, "install.cjs"}
	if i.Lock.embedded {
		args = append(args, "--prune") // nothing in these locks reads what it removes
	}
	args = append(args, layerDir, i.Prefix, strconv.FormatInt(s.Epoch.Unix(), 10),
		i.Lock.command(), "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--omit=dev")
	args = append(args, i.Lock.flags(s.Arch)...)
	opts := append(slices.Clone(s.Run),
		llb.Args(args),
		llb.Dir(workDir),
		llb.AddMount(workDir, i.folder(s), llb.Readonly),
		llb.AddMount(cacheDir, llb.Scratch(), llb.AsPersistentCacheDir(path.Join(s.CacheNamespace, "samforge-npm"), llb.CacheMountShared)),
		llb.AddSecret(npmrc, llb.SecretID(SecretNPMRC), llb.SecretOptional),
		llb.AddSecret(caBundle, llb.SecretID(SecretCA), llb.SecretOptional),
	)
	for _, name := range tokens() {
		opts = append(opts, llb.AddSecret(name, llb.SecretAsEnv(true), llb.SecretOptional))
	}
	env := append(slices.Clone(s.Env), settings(i.Registry)...)
	return s.run(opts, env, s.Name("npm %s %s", i.Lock.command(), i.Lock)).AddMount(layerDir, llb.Scratch())
}

// Check returns the installed package after a step that fails if the package would not run in the
// image. node is the version of the image's Node.js, or "" if it is unknown. A lock cannot show
// this: a package may have native modules for one architecture only, or need its install script to
// build them.
func (i Install) Check(s Step, installed llb.State, node string) llb.State {
	script := llb.Scratch().File(addScripts(nil, checkScripts()), s.Name("write the check of what npm installed")...)
	opts := append(slices.Clone(s.Run),
		llb.Args([]string{nodeProgram, checkDir + "/check.cjs", s.Arch, i.Lock.Name, node}),
		llb.Dir(layerDir+i.Prefix),
		llb.Network(pb.NetMode_NONE),
		llb.AddMount(checkDir, script, llb.Readonly),
	)
	return s.run(opts, s.Env, s.Name("check that %s runs on linux/%s", i.Lock, s.Arch)).AddMount(layerDir, installed)
}

// Trusted reports whether [Install.Check] can be left out, as for the locks that samforge carries.
func (l *Lock) Trusted() bool { return l.embedded }

// run runs a step in the node image.
func (s Step) run(opts []llb.RunOption, env []string, name []llb.ConstraintsOpt) llb.ExecState {
	for _, variable := range env {
		name, value, _ := strings.Cut(variable, "=")
		opts = append(opts, llb.AddEnv(name, value))
	}
	for _, o := range name {
		opts = append(opts, o)
	}
	return s.Node.Run(opts...)
}

// folder contains what npm installs from: package.json and the lock, the script that runs npm, and
// the commands.
func (i Install) folder(s Step) llb.State {
	files, what := llb.Mkfile("/package.json", 0o644, i.Lock.PackageJSON()), "package.json"
	if i.Lock.Data != nil {
		files, what = files.Mkfile("/package-lock.json", 0o644, i.Lock.Data), "lock"
	}
	files = addScripts(files, installScripts()).Mkdir("/bin", 0o755)
	program := path.Join(i.Prefix, modulesDir, i.Lock.Name, i.Program)
	for _, name := range i.Commands {
		files = files.Mkfile("/bin/"+name, 0o755, Command(program))
	}
	return llb.Scratch().File(files, s.Name("write the %s of %s", what, i.Lock)...)
}

// Command returns a shell script that starts a program with the node on PATH.
func Command(program string) []byte {
	return []byte("#!/bin/sh\nexec node " + program + " \"$@\"\n")
}

// command returns npm's command: ci, which follows the lock exactly, or install if there is no
// lock.
func (l *Lock) command() string {
	if l.Data == nil {
		return "install"
	}
	return "ci"
}

// flags make npm install for an architecture other than its own. Most locks that samforge carries
// have no package for a single architecture. They get no flags, so one install serves all
// architectures.
func (l *Lock) flags(arch string) []string {
	bound := slices.ContainsFunc(l.Native(), func(n NativePackage) bool { return n.RunsOn("amd64") != n.RunsOn("arm64") })
	if l.embedded && !bound {
		return nil
	}
	flags := []string{"--os=linux", "--libc=glibc", "--cpu=" + cpuName(arch)}
	if l.Data == nil {
		flags = append(flags, "--omit-lockfile-registry-resolved") // the record of what was installed stays in the image
	}
	return flags
}

// settings are npm's configuration. They name the secrets even if the build has none: npm and
// Node.js ignore missing files.
func settings(registry string) []string {
	return []string{
		"HOME=/root",
		"npm_config_cache=" + cacheDir,
		"npm_config_registry=" + registry,
		"npm_config_userconfig=" + npmrc,
		"npm_config_fetch_retries=3",
		"npm_config_fetch_retry_mintimeout=1000",
		"npm_config_fetch_retry_factor=2",
		"npm_config_fetch_retry_maxtimeout=20000",
		"npm_config_fetch_timeout=60000",
		"NODE_EXTRA_CA_CERTS=" + caBundle,
	}
}
