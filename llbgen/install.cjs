// Runs npm with the arguments given, and makes sure that it did its work: npm 10
// can break off in the middle and end with status 0 all the same.
'use strict';
const { spawn } = require('child_process');
const fs = require('fs');
const path = require('path');

const npm = '/var/lang/lib/node_modules/npm/bin/npm-cli.js';
const child = spawn(process.execPath, [npm, ...process.argv.slice(2)], { stdio: ['ignore', 'inherit', 'pipe'] });
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
  // What npm writes last.
  if (!fs.existsSync('node_modules/.package-lock.json')) {
    console.error('npm error npm broke off before everything was installed; its log tells:');
    for (const line of troubles()) console.error(`npm error ${line}`);
    process.exit(1);
  }
});

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
