// What is done to a package-lock.json before and after npm reads it.
'use strict';
const fs = require('fs');
const path = require('path');

// unfound is the integrity of nothing that can be found.
const unfound = `sha512-${Buffer.alloc(64).toString('base64')}`;

// nameAt returns the name of a package by its place in the tree.
function nameAt(place) {
  return place.split('node_modules/').pop();
}

// withAddresses returns a lock with the addresses that the registries have packages at by custom, or
// null for a lock that has addresses.
function withAddresses(lock, { registryOf }) {
  const entries = Object.entries(lock.packages);
  if (entries.some(([, { link, resolved }]) => resolved && !link)) return null;
  return edit(lock, (place, entry) => {
    if (entry.link || entry.inBundle || !entry.integrity) return;
    const name = entry.name || nameAt(place);
    entry.resolved = `${registryOf(name)}${name}/-/${path.basename(name)}-${entry.version}.tgz`;
  });
}

// fillIntegrity returns a lock in which every package has an integrity. Those without one are not
// fetched, by what the lock says: for development, or within the package that bundles them. Should npm
// fetch one all the same, it is refused.
function fillIntegrity(lock) {
  return edit(lock, (place, entry) => {
    if (!entry.link && !/sha(256|384|512)-/.test(entry.integrity)) entry.integrity = unfound;
  });
}

// withoutAdditions returns npm's record of a tree without what was added to the lock.
function withoutAdditions(installed, lock) {
  const addressed = Object.values(lock.packages).some(({ link, resolved }) => resolved && !link);
  return edit(installed, (place, entry) => {
    if (!addressed && !entry.link) delete entry.resolved;
    if (entry.integrity === unfound) delete entry.integrity;
  });
}

function edit(lock, change) {
  const copy = JSON.parse(JSON.stringify(lock));
  for (const [place, entry] of Object.entries(copy.packages)) {
    if (place) change(place, entry);
  }
  return copy;
}

// missing returns the packages that npm had to install for a CPU and did not, as name@version. npm
// goes on without an optional package that it cannot fetch.
function missing({ packages }, cpu) {
  const isThere = (place) => !place || fs.existsSync(path.join(place, 'package.json'));
  const lacking = new Set();
  for (const [place, entry] of Object.entries(packages)) {
    if (!isThere(place)) continue;
    for (const name of [...Object.keys(entry.dependencies || {}), ...Object.keys(entry.optionalDependencies || {})]) {
      const wanted = resolve(packages, place, name);
      if (wanted && !isThere(wanted) && runs(packages, wanted, cpu, new Set())) lacking.add(`${nameAt(wanted)}@${packages[wanted].version}`);
    }
  }
  return [...lacking].sort();
}

// runs reports whether a package and all that it cannot do without are made for the platform.
function runs(packages, place, cpu, seen) {
  if (seen.has(place)) return true;
  seen.add(place);
  const { os, cpu: cpus, libc, dependencies = {}, optionalDependencies = {} } = packages[place];
  if (!accepts(os, 'linux') || !accepts(cpus, cpu) || !accepts(libc, 'glibc')) return false;
  return Object.keys(dependencies).every((name) => {
    const needed = name in optionalDependencies ? '' : resolve(packages, place, name);
    return !needed || runs(packages, needed, cpu, seen);
  });
}

// accepts reads os, cpu and libc as npm does.
function accepts(list, word) {
  const words = [].concat(list || []);
  if (words.includes('any') || words.includes(word)) return true;
  return words.every((w) => w.startsWith('!')) && !words.includes(`!${word}`);
}

// resolve returns the place that a package at a place gets a name from, as Node.js finds it.
function resolve(packages, place, name) {
  for (;;) {
    const found = `${place}${place && '/'}node_modules/${name}`;
    if (packages[found]) return found;
    if (!place) return '';
    place = place.slice(0, Math.max(place.lastIndexOf('node_modules/'), 0)).replace(/\/$/, '');
  }
}

module.exports = { accepts, fillIntegrity, missing, nameAt, unfound, withAddresses, withoutAdditions };
