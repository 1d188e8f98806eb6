// Takes away what differs from run to run, and what nothing reads.
'use strict';
const fs = require('fs');
const path = require('path');

// tidy gives each file its mode and its time. With prune it removes type declarations, source maps,
// change logs, and builds for browsers that no package.json names for Node.js: nothing of the packages
// that samforge has locks of reads them. Others do, such as a TypeScript compiler.
function tidy(dir, epoch, prune) {
  for (const entry of fs.readdirSync(dir, { withFileTypes: true })) {
    const file = path.join(dir, entry.name);
    if (prune && (/\.d\.[mc]?ts$|\.map$|^CHANGELOG\.md$/.test(entry.name) || /\/(aws-sdk|json-refs)\/dist$|\/xml2js\/lib\/xml2js\.bc\.js$/.test(file))) {
      fs.rmSync(file, { recursive: true });
    } else if (entry.isDirectory()) {
      tidy(file, epoch, prune);
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

module.exports = { tidy };
