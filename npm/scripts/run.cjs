// Runs npm, and ends it when nothing comes from the registry any more.
'use strict';
const { spawn } = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');
const readline = require('readline');

// npm is the one that the image's Node.js came with.
const npm = path.resolve(process.execPath, '../../lib/node_modules/npm');

// slowest is the rate below which a download has stopped, in bytes a second.
const slowest = 100;

// run resolves to npm's status, its errors, and its failed requests.
function run(args, { env, mask, registry }) {
  const logs = fs.mkdtempSync(path.join(os.tmpdir(), 'npm-logs-'));
  const child = spawn(process.execPath, ['--require', path.join(__dirname, 'progress.cjs'), path.join(npm, 'bin/npm-cli.js'), '--loglevel=http', `--logs-dir=${logs}`, ...args],
    { env, stdio: ['ignore', 'inherit', 'pipe', 'ipc'] });
  const errors = [];
  const failures = [];
  let answers = 0;
  let bytes = 0;
  child.on('message', (count) => { bytes = count; });
  readline.createInterface({ input: child.stderr }).on('line', (line) => {
    if (/^npm http fetch /i.test(line)) {
      if (/ failed with [A-Z]|^npm http fetch [A-Z]+ [45]\d\d /i.test(line)) failures.push(mask(line));
      else answers += 1;
    } else if (/^npm (error|ERR!)/.test(line)) errors.push(mask(line));
    else if (!/^npm http /i.test(line)) console.error(mask(line));
  });

  // A registry that never answers, or that sends a few bytes now and then, would cost npm a timeout for
  // each of hundreds of packages, or never end. What npm makes of what has come is progress too.
  const limit = 2 * env.npm_config_fetch_timeout;
  let before = { done: 0, bytes: 0 };
  const watch = limit > 0 && setInterval(() => {
    const now = { done: answers + extracted(), bytes };
    if (now.done === before.done && now.bytes - before.bytes < (slowest * limit) / 1000) {
      errors.push(`npm error network timeout at: ${registry}`);
      child.kill('SIGKILL');
    }
    before = now;
  }, limit);
  child.on('error', (error) => errors.push(`npm error ${error.message}`));
  return new Promise((resolve) => {
    child.on('close', (status) => {
      if (watch) clearInterval(watch);
      fs.rmSync(logs, { recursive: true, force: true });
      resolve({ status, errors, failures });
    });
  });
}

// extracted counts the packages that npm has begun to write.
function extracted() {
  if (!fs.existsSync('node_modules')) return 0;
  return fs.readdirSync('node_modules').filter((name) => fs.existsSync(`node_modules/${name}/package.json`)).length;
}

// npmVersion returns npm's major version.
function npmVersion() {
  return Number.parseInt(JSON.parse(fs.readFileSync(path.join(npm, 'package.json'), 'utf8')).version, 10);
}

module.exports = { npmVersion, run };
