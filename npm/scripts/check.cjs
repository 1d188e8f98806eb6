// Checks that what npm installed runs on Linux with glibc on a CPU, by what the
// packages say and by their native modules, and that the framework accepts the
// image's Node.js, of which a number such as 20 may be known:
// node check.cjs amd64|arm64 FRAMEWORK [NODE]
'use strict';
const fs = require('fs');
const path = require('path');
const { accepts } = require('./lock.cjs');

const [arch, framework, node] = process.argv.slice(2);
const cpu = arch === 'amd64' ? 'x64' : arch;
const remedy = 'use another version of it, or --verify=off where it does without';
const { packages } = JSON.parse(fs.readFileSync('node_modules/.package-lock.json', 'utf8'));
const problems = Object.keys(packages).map(problem).concat(wrongNode()).filter(Boolean);
for (const sentence of problems) console.error(`samforge: ${sentence}`);
process.exit(problems.length > 0 ? 1 : 0);

// problem says why the package at a place does not run, or nothing. What is
// optional need not run: whoever depends on it goes on without.
function problem(place) {
  const { version, os, cpu: cpus, libc, optional, devOptional } = packages[place];
  const name = `${place.split('node_modules/').pop()}@${version}`;
  if (!accepts(os, 'linux') || !accepts(cpus, cpu) || !accepts(libc, 'glibc')) {
    return `npm installed ${name}, which is not for linux/${arch} with glibc: the npm in the node image knows no other platform than its own; use a newer node image`;
  }
  if (optional || devOptional || hasModule(place) || platformPackages(place).some(hasModule)) return;
  if (modules(place).length > 0) return `${name} has native modules, and none of them for linux/${arch} with glibc: ${remedy}`;
  if (compiles(place)) return `${name} has to be compiled by its install script, which is not run, and has no native module for linux/${arch} with glibc: ${remedy}`;
}

// platformPackages are what a package has its native modules in, one package for
// each platform, of which npm installed the right one.
function platformPackages(place) {
  const names = Object.keys(packages[place].optionalDependencies || {});
  return Object.keys(packages).filter((other) => names.includes(other.split('node_modules/').pop()));
}

function hasModule(place) { return modules(place).some(runs); }

// modules returns the native modules of a package, without those of the packages
// below it.
function modules(dir) {
  return fs.readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const file = path.join(dir, entry.name);
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : modules(file);
    return entry.isFile() && entry.name.endsWith('.node') ? [file] : [];
  });
}

// runs reports whether a native module is one for Linux (or for no system in
// particular), this CPU and glibc.
// https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html
function runs(file) {
  const data = fs.readFileSync(file);
  const machine = { x64: 62, arm64: 183 }[cpu];
  return data.length > 20 && data.readUInt32BE(0) === 0x7f454c46 && [0, 3].includes(data[7]) &&
    data.readUInt16LE(18) === machine && !data.includes('libc.musl-');
}

// compiles reports whether a package's install script makes or fetches a native
// module: npm runs node-gyp where there is a binding.gyp and no script.
function compiles(place) {
  const { scripts = {}, gypfile } = JSON.parse(fs.readFileSync(path.join(place, 'package.json'), 'utf8'));
  const script = [scripts.preinstall, scripts.install, scripts.postinstall].join(' ');
  return /node-gyp|node-pre-gyp|prebuild-install|cmake-js/.test(script) ||
    gypfile !== false && fs.existsSync(path.join(place, 'binding.gyp'));
}

// wrongNode says so where the framework does not accept the image's Node.js.
function wrongNode() {
  const { version, engines = {} } = packages[`node_modules/${framework}`];
  const semver = require(path.join(process.execPath, '../../lib/node_modules/npm/node_modules/semver'));
  if (!node || !semver.validRange(engines.node) || semver.intersects(node, engines.node)) return [];
  return [`${framework} ${version} needs Node.js ${engines.node}, and the node image has ${node}`];
}
