// Installs a package into a folder of a layer, by npm with the arguments given, and leaves nothing
// there that differs from run to run, nor, with --prune, that nothing reads:
// node install.cjs [--prune] LAYER FOLDER EPOCH ARGUMENT...
'use strict';
const fs = require('fs');
const path = require('path');
const { explain } = require('./explain.cjs');
const { fillIntegrity, withAddresses, withoutAdditions, missing } = require('./lock.cjs');
const { readConfig } = require('./npmrc.cjs');
const { npmVersion, run } = require('./run.cjs');
const { tidy } = require('./tidy.cjs');

const prune = process.argv[2] === '--prune';
const [layer, folder, epoch, ...args] = process.argv.slice(prune ? 3 : 2);
const description = __dirname;
const manifests = ['package.json', 'package-lock.json'];
const record = 'node_modules/.package-lock.json'; // what npm writes last

main().catch((error) => {
  console.error(error);
  process.exit(1);
});

async function main() {
  fs.mkdirSync(layer + folder, { recursive: true });
  process.chdir(layer + folder);
  for (const name of manifests) {
    if (fs.existsSync(path.join(description, name))) fs.copyFileSync(path.join(description, name), name);
  }
  const config = readConfig(process.env);
  const lock = fs.existsSync('package-lock.json') ? JSON.parse(fs.readFileSync('package-lock.json', 'utf8')) : null;
  const result = await install(lock, config);
  if (!result.done) fail(result, lock, config);
  if (lock) finishRecord(lock, config);
  for (const name of manifests) fs.rmSync(name, { force: true });
  fs.mkdirSync('bin');
  for (const name of fs.readdirSync(path.join(description, 'bin'))) fs.copyFileSync(path.join(description, 'bin', name), path.join('bin', name));
  tidy(layer, Number(epoch), prune);
}

// install runs npm, first with the addresses that registries have their packages at by custom: npm
// asks for no list of versions then, and finds what it fetched before by the integrity alone.
async function install(lock, config) {
  const addressed = lock && withAddresses(lock, config);
  if (lock) writeLock(addressed || lock);
  let result = await attempt(config);
  if (!result.done && addressed && /\bE4\d\d\b|EINTEGRITY/.test(result.errors.join('\n'))) {
    // This registry has its packages elsewhere, if it has them at all: npm asks it.
    writeLock(lock);
    result = await attempt(config);
  }
  process.stderr.write(result.errors.map((line) => `${line}\n`).join(''));
  return result;
}

// attempt runs npm once. npm 10 can break off in the middle and end with status 0 all the same.
async function attempt(config) {
  const result = await run(args, config);
  return { ...result, done: result.status === 0 && fs.existsSync(record) };
}

function writeLock(lock) {
  fs.writeFileSync('package-lock.json', JSON.stringify(fillIntegrity(lock)));
}

// fail ends the step with a sentence for the user.
function fail(result, lock, config) {
  const unnamed = result.failures.slice(-10).filter((line) => !result.errors.includes(line));
  for (const line of unnamed) console.error(line);
  console.error(`samforge: ${config.mask(explain(result, lock, config))}`);
  process.exit(1);
}

// finishRecord refuses a tree that lacks packages, and gives npm's record of what is installed the
// same content whatever the registry.
function finishRecord(lock, config) {
  const lacking = config.omitsOptional ? [] : missing(lock, cpu());
  if (lacking.length > 0) {
    console.error(`samforge: npm left out ${lacking.join(', ')} without an error, as it does with an optional package that it cannot fetch: try again, or use another registry or mirror`);
    process.exit(1);
  }
  const installed = JSON.parse(fs.readFileSync(record, 'utf8'));
  const same = withoutAdditions(installed, lock);
  if (JSON.stringify(same) !== JSON.stringify(installed)) fs.writeFileSync(record, `${JSON.stringify(same, null, 2)}\n`);
}

// cpu is the one that npm installs for. Before version 10 it knows its own only.
function cpu() {
  const wanted = args.find((arg) => arg.startsWith('--cpu='));
  return wanted && npmVersion() >= 10 ? wanted.slice('--cpu='.length) : process.arch;
}
