// Runs `npm ci` with the arguments given, and makes sure that it did its work:
// npm 10 can break off in the middle and end with status 0 all the same.
'use strict';
const { spawnSync } = require('child_process');
const fs = require('fs');
const path = require('path');

const npm = '/var/lang/lib/node_modules/npm/bin/npm-cli.js';
const { status, error } = spawnSync(process.execPath, [npm, 'ci', ...process.argv.slice(2)], { stdio: 'inherit' });
if (error) console.error(`npm error ${error.message}`);
if (status !== 0) process.exit(status || 1);

// What npm writes last.
if (!fs.existsSync('node_modules/.package-lock.json')) {
  console.error('npm error npm broke off before everything was installed; its log tells:');
  for (const line of troubles()) console.error(`npm error ${line}`);
  process.exit(1);
}

// troubles returns the lines of npm's newest log that tell of failed requests.
function troubles() {
  const logs = path.join(process.env.npm_config_cache, '_logs');
  const newest = fs.readdirSync(logs).sort().pop();
  const lines = fs.readFileSync(path.join(logs, newest), 'utf8').split('\n');
  return lines.filter((line) => /E[A-Z]{4,}|failed/.test(line)).slice(-10);
}
