// Installs the framework into a folder of a layer, by npm with the arguments
// given, and leaves nothing there that differs from run to run:
// node install.cjs LAYER FOLDER EPOCH ARGUMENT...
'use strict';
const { spawn } = require('child_process');
const fs = require('fs');
const path = require('path');
const readline = require('readline');

const [layer, folder, epoch] = process.argv.slice(2);
const description = __dirname;
fs.mkdirSync(layer + folder, { recursive: true });
process.chdir(layer + folder);
const manifests = ['package.json', 'package-lock.json'];
for (const name of manifests) {
  if (fs.existsSync(path.join(description, name))) fs.copyFileSync(path.join(description, name), name);
}

const lock = fs.existsSync('package-lock.json') && fs.readFileSync('package-lock.json', 'utf8');
const addressed = lock && !/"resolved":/.test(lock);
if (addressed) fs.writeFileSync('package-lock.json', withAddresses(lock));
npm((status, said) => {
  if (status === 0 || !addressed || !/\bE4\d\d\b|EINTEGRITY/.test(said)) return finish(status, said);
  // This registry has its packages elsewhere, if it has them at all: npm asks it.
  fs.writeFileSync('package-lock.json', lock);
  npm(finish);
});

// withAddresses gives the packages of a lock the addresses that a registry has
// them at by custom: npm asks for no list of versions then, and finds what it has
// fetched before by the integrity alone.
function withAddresses(text) {
  const content = JSON.parse(text);
  const registry = process.env.npm_config_registry.replace(/\/*$/, '/');
  for (const [place, entry] of Object.entries(content.packages)) {
    if (!place || entry.link || entry.inBundle || !entry.integrity) continue;
    const name = entry.name || nameAt(place);
    entry.resolved = `${registry}${name}/-/${path.basename(name)}-${entry.version}.tgz`;
  }
  return JSON.stringify(content);
}

// nameAt is the name of a package by where the lock has it.
function nameAt(place) {
  return place.split('node_modules/').pop();
}

// npm runs npm, and passes on its status and its errors.
function npm(done) {
  const cli = '/var/lang/lib/node_modules/npm/bin/npm-cli.js';
  const child = spawn(process.execPath, [cli, '--loglevel=http', ...process.argv.slice(5)], { stdio: ['ignore', 'inherit', 'pipe'] });
  let errors = '';
  let answers = 0;
  readline.createInterface({ input: child.stderr }).on('line', (line) => {
    if (/^npm http /i.test(line)) answers += / http fetch (?!.* failed with [A-Z])/.test(line) ? 1 : 0;
    else if (/^npm (error|ERR!)/.test(line)) errors += `${line}\n`;
    else console.error(line);
  });
  // A registry that never answers costs npm a timeout for each of hundreds of
  // packages.
  let before = 0;
  const watch = setInterval(() => {
    const now = answers + extracted();
    if (now === before) {
      errors += `npm error network timeout at: ${process.env.npm_config_registry}\n`;
      child.kill('SIGKILL');
    }
    before = now;
  }, 2 * process.env.npm_config_fetch_timeout);
  child.on('error', (error) => { errors += `npm error ${error.message}\n`; });
  child.on('close', (status) => {
    clearInterval(watch);
    done(status, errors);
  });
}

// extracted counts the packages that npm has come to.
function extracted() {
  if (!fs.existsSync('node_modules')) return 0;
  return fs.readdirSync('node_modules').filter((name) => fs.existsSync(`node_modules/${name}/package.json`)).length;
}

function finish(status, errors) {
  process.stderr.write(errors);
  if (status !== 0) {
    for (const name of mismatched(errors)) console.error(`npm error this is the integrity of ${name} in the lock`);
    process.exit(status || 1);
  }
  // npm 10 can break off in the middle and end with status 0 all the same: this
  // is what it writes last.
  const record = 'node_modules/.package-lock.json';
  if (!fs.existsSync(record)) {
    console.error('npm error npm broke off before everything was installed; its log tells:');
    for (const line of troubles()) console.error(`npm error ${line}`);
    process.exit(1);
  }
  if (addressed) fs.writeFileSync(record, withoutAddresses(fs.readFileSync(record, 'utf8')));
  for (const name of manifests) fs.rmSync(name, { force: true });
  fs.mkdirSync('bin');
  for (const name of fs.readdirSync(path.join(description, 'bin'))) fs.copyFileSync(path.join(description, 'bin', name), path.join('bin', name));
  tidy(layer);
}

// withoutAddresses is the record of what was installed as it is whatever the
// registry.
function withoutAddresses(text) {
  const content = JSON.parse(text);
  for (const entry of Object.values(content.packages)) {
    if (!entry.link) delete entry.resolved;
  }
  return `${JSON.stringify(content, null, 2)}\n`;
}

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
      if (entry.isFile()) setMode(file);
      fs.lutimesSync(file, epoch, epoch);
    }
  }
  fs.chmodSync(dir, 0o755);
  fs.lutimesSync(dir, epoch, epoch);
}

// setMode makes a file readable for all, and executable for all or none.
function setMode(file) {
  const mode = fs.statSync(file).mode & 0o7777;
  const wanted = mode & 0o100 ? 0o755 : 0o644;
  if (mode !== wanted) fs.chmodSync(file, wanted);
}

// mismatched returns the packages of the lock whose integrity npm wanted and did
// not get: it does not always name them itself.
function mismatched(errors) {
  const wanted = /wanted (sha\d+-\S+) but got/.exec(errors);
  if (!wanted || !fs.existsSync('package-lock.json')) return [];
  return Object.entries(JSON.parse(fs.readFileSync('package-lock.json', 'utf8')).packages)
    .filter(([, { integrity }]) => integrity && integrity.split(/\s+/).includes(wanted[1]))
    .map(([place, { version }]) => `${nameAt(place)}@${version}`);
}

// troubles returns the lines of npm's newest log that tell of failed requests.
function troubles() {
  const logs = path.join(process.env.npm_config_cache, '_logs');
  const newest = fs.readdirSync(logs).sort().pop();
  const lines = fs.readFileSync(path.join(logs, newest), 'utf8').split('\n');
  return lines.filter((line) => /E[A-Z]{4,}|failed/.test(line)).slice(-10);
}
