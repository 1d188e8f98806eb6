// Installs the framework into a folder of a layer, by npm with the arguments
// given, and leaves nothing there that differs from run to run:
// node install.cjs LAYER FOLDER EPOCH ARGUMENT...
'use strict';
const { spawn } = require('child_process');
const fs = require('fs');
const path = require('path');

const [layer, folder, epoch] = process.argv.slice(2);
const description = __dirname;
fs.mkdirSync(layer + folder, { recursive: true });
process.chdir(layer + folder);
const manifests = ['package.json', 'package-lock.json'];
for (const name of manifests) {
  if (fs.existsSync(path.join(description, name))) fs.copyFileSync(path.join(description, name), name);
}

const npm = '/var/lang/lib/node_modules/npm/bin/npm-cli.js';
const child = spawn(process.execPath, [npm, ...process.argv.slice(5)], { stdio: ['ignore', 'inherit', 'pipe'] });
let said = '';
child.stderr.on('data', (data) => {
  said += data;
  process.stderr.write(data);
});
child.on('error', (error) => console.error(`npm error ${error.message}`));
child.on('close', (status) => {
  if (status !== 0) {
    for (const name of mismatched()) console.error(`npm error this is the integrity of ${name} in the lock`);
    process.exit(status || 1);
  }
  // npm 10 can break off in the middle and end with status 0 all the same: this
  // is what it writes last.
  if (!fs.existsSync('node_modules/.package-lock.json')) {
    console.error('npm error npm broke off before everything was installed; its log tells:');
    for (const line of troubles()) console.error(`npm error ${line}`);
    process.exit(1);
  }
  for (const name of manifests) fs.rmSync(name, { force: true });
  fs.mkdirSync('bin');
  for (const name of fs.readdirSync(path.join(description, 'bin'))) fs.copyFileSync(path.join(description, 'bin', name), path.join('bin', name));
  tidy(layer);
});

// tidy leaves out what nothing reads at run time (type declarations, source maps,
// change logs, and builds for browsers, which no package.json names for Node.js)
// and gives all else its mode and its time.
function tidy(dir) {
  for (const entry of fs.readdirSync(dir, { withFileTypes: true })) {
    const file = path.join(dir, entry.name);
    if (/\.d\.[mc]?ts$|\.map$|^CHANGELOG\.md$/.test(entry.name) || /\/(aws-sdk|json-refs)\/dist$|\/xml2js\/lib\/xml2js\.bc\.js$/.test(file)) {
      fs.rmSync(file, { recursive: true });
    } else if (entry.isDirectory()) {
      tidy(file);
    } else {
      if (entry.isFile()) fs.chmodSync(file, fs.statSync(file).mode & 0o100 ? 0o755 : 0o644);
      fs.lutimesSync(file, epoch, epoch);
    }
  }
  fs.chmodSync(dir, 0o755);
  fs.lutimesSync(dir, epoch, epoch);
}

// mismatched returns the packages of the lock whose integrity npm wanted and did
// not get: it does not always name them itself.
function mismatched() {
  const wanted = /wanted (sha\d+-\S+) but got/.exec(said);
  if (!wanted || !fs.existsSync('package-lock.json')) return [];
  return Object.entries(JSON.parse(fs.readFileSync('package-lock.json', 'utf8')).packages)
    .filter(([, { integrity }]) => integrity && integrity.split(/\s+/).includes(wanted[1]))
    .map(([place, { version }]) => `${place.split('node_modules/').pop()}@${version}`);
}

// troubles returns the lines of npm's newest log that tell of failed requests.
function troubles() {
  const logs = path.join(process.env.npm_config_cache, '_logs');
  const newest = fs.readdirSync(logs).sort().pop();
  const lines = fs.readFileSync(path.join(logs, newest), 'utf8').split('\n');
  return lines.filter((line) => /E[A-Z]{4,}|failed/.test(line)).slice(-10);
}
