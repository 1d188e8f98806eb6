package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/samforge/samforge/integration/testenv"
)

// startNode starts node in every way that a program does, and prints the output of each start.
const startNode = `
const { execFileSync, fork } = require('child_process');
const { Worker } = require('worker_threads');
const say = (how, file, args, env) => console.log(how, execFileSync(file, args, { env: { ...process.env, ...env } }).toString().trim());
say('argv0', process.argv[0], ['-p', '"ok"']);
say('execPath', process.execPath, ['-p', '"ok"']);
say('empty options', process.execPath, ['-p', '"ok"'], { NODE_OPTIONS: '' });
say('permission', process.execPath, ['--experimental-permission', '-p', '"ok"']);
say('shell', 'sh', ['-c', 'echo $LD_LIBRARY_PATH']);
new Worker('console.log("worker", require("child_process").execFileSync(process.execPath, ["-p", "\'ok\'"]).toString().trim())', { eval: true, execArgv: [] });
if (!process.send) fork(__filename, { execArgv: [] }).on('exit', (code) => console.log('fork', code));
`

// The node of the isolated layout finds its libraries before those of LD_LIBRARY_PATH, however it
// is started. Its children get the same environment.
func TestNodeFindsItsLibraries(t *testing.T) {
	t.Parallel()
	lang, err := testenv.NodeFolder(t.Context(), "20.20.2", "10.8.2")
	must(t, err)
	node := filepath.Join(lang, "bin/node")
	dir := t.TempDir()
	for _, folder := range []string{"bin", "lib", "foreign"} {
		must(t, os.Mkdir(filepath.Join(dir, folder), 0o755))
	}
	loaded, err := exec.CommandContext(t.Context(), "ldd", node).Output()
	must(t, err)
	library := regexp.MustCompile(`libstdc\+\+\.so\.6 => (\S+)`).FindSubmatch(loaded)
	if library == nil {
		t.Fatalf("node does not load libstdc++:\n%s", loaded)
	}
	data, err := os.ReadFile(string(library[1]))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "lib/libstdc++.so.6"), data, 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "foreign/libstdc++.so.6"), []byte("of another language"), 0o644))
	copied := filepath.Join(dir, "bin/node")
	if output, err := exec.CommandContext(t.Context(), node, "../llbgen/rpath.cjs", node, copied, "$ORIGIN/../lib").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	script := filepath.Join(dir, "start.cjs")
	must(t, os.WriteFile(script, []byte(startNode), 0o600))
	foreign := filepath.Join(dir, "foreign")
	run := func(program string) (string, error) {
		cmd := exec.CommandContext(t.Context(), program, script)
		cmd.Env = []string{"PATH=/usr/bin:/bin", "LD_LIBRARY_PATH=" + foreign}
		output, err := cmd.CombinedOutput()
		return string(output), err
	}
	if output, err := run(node); err == nil {
		t.Fatalf("node takes no library of LD_LIBRARY_PATH, which proves nothing:\n%s", output)
	}
	output, err := run(copied)
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	for _, want := range []string{"argv0 ok", "execPath ok", "empty options ok", "permission ok", "worker ok", "shell " + foreign} {
		if n := strings.Count(output, want); n != 2 { // by node, and by the node that it forked
			t.Errorf("%q is there %d times, want 2:\n%s", want, n, output)
		}
	}
	if !strings.Contains(output, "fork 0") {
		t.Errorf("the fork failed:\n%s", output)
	}
}
