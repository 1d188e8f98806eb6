// Says in the user's terms why npm could not install, by what it printed.
'use strict';
const os = require('os');
const { nameAt, unfound } = require('./lock.cjs');

const npmjs = 'https://registry.npmjs.org/';

// explain returns a sentence about a run of npm: what happened, and what to do. lock is the lock that
// npm kept to, or null.
function explain({ errors, failures }, lock, config) {
  const log = [...failures.slice(-20), ...errors].join('\n');
  for (const about of [aboutIntegrity, aboutPackages, aboutConfiguration, aboutAccess, aboutTLS, aboutNetwork]) {
    const sentence = about(log, lock, config);
    if (sentence) return sentence;
  }
  const cause = errors.map((line) => line.replace(/^npm \S+ /, '')).find((line) => !/^(code|errno) |^$|complete log/.test(line));
  return `npm broke off before everything was installed${cause ? ` (${cause})` : ''}: try again, or use a node image with another npm`;
}

function aboutIntegrity(log, lock) {
  const found = /integrity checksum failed when using \w+: wanted (\S+) but got (\S+?)\.?(?:\s|$)/i.exec(log);
  if (!found) return '';
  const [, wanted, got] = found;
  const name = named(lock, wanted) || (/tarball data for (\S+) \(/.exec(log) || [])[1] || 'a package';
  if (wanted === unfound) return `npm fetched ${named(lock, '') || name}, which has no integrity in the lock: make the lock anew`;
  if (!lock) return `the npm registry has other bytes for ${name} than it says itself (integrity ${got}, expected ${wanted}): use another registry or mirror`;
  return `the npm registry has other bytes for ${name} than ${lockName(lock)} (integrity ${got}, expected ${wanted}): use another registry or mirror, or make the lock anew`;
}

// named returns the package of the lock that has an integrity: npm does not always name it itself.
function named(lock, wanted) {
  const [place, entry] = Object.entries((lock && lock.packages) || {})
    .find(([path, { integrity = '', link }]) => path && !link && (wanted ? integrity.split(/\s+/).includes(wanted) : !integrity)) || [];
  return place && `${nameAt(place)}@${entry.version}`;
}

function lockName(lock) {
  const packages = wantedPackages(lock);
  return packages.length === 1 ? `the lock of ${packages[0].replace('@', ' ')}` : 'the lock';
}

function wantedPackages(lock) {
  return Object.entries(lock.packages[''].dependencies || {}).map(([name, version]) => `${name}@${version}`);
}

// aboutPackages is about packages that cannot be had, or not together.
function aboutPackages(log, lock) {
  let found = /Unsupported platform for (\S+): wanted (\{.*?\})/.exec(log);
  if (found) return `${found[1]} is not made for the image's platform: it wants ${found[2]}`;
  found = /^npm \S+ ((?:Invalid|Missing): .+)$/m.exec(log);
  if (found && lock && /EUSAGE/.test(log)) {
    return `${lockName(lock)} does not fit together (${found[1]}), as where it was made with overrides: make a lock in an empty folder with ` +
      `\`npm install --package-lock-only --save-exact --omit-lockfile-registry-resolved ${wantedPackages(lock).join(' ')}\``;
  }
  if (/ERESOLVE/.test(log)) {
    const told = ['While resolving: .+', 'Found: .+', '(?:peer|peerOptional|dev|optional)? ?\\S+@"[^"]*" from .+']
      .map((part) => new RegExp(`^npm \\S+ (?:ERESOLVE )?(${part})$`, 'm').exec(log)).filter(Boolean).map((match) => match[1]);
    return `packages want different versions of another one (${told.join('; ') || 'ERESOLVE'}): use versions that fit together, or have npm ignore it with ` +
      'legacy-peer-deps=true in an npm configuration, --secret id=npmrc,src=FILE';
  }
  found = /No matching version found for (\S+?)\.?(?:\s|$)/.exec(log) || /404 Not Found - GET (\S+)/.exec(log);
  return found ? `the npm registry does not have ${found[1]}` : '';
}

// aboutConfiguration is about the user's npm configuration.
function aboutConfiguration(log, lock, config) {
  if (/ERR_INVALID_AUTH/.test(log)) {
    const [, told] = /^npm \S+ (?:Invalid auth configuration found: )(.+)$/m.exec(log) || [];
    return `the npm configuration of the secret npmrc has credentials in a form that this npm refuses${told ? ` (${told})` : ''}: give them with the registry that they are for, as //HOST/PATH/:_authToken=TOKEN`;
  }
  if (config.unset.length > 0 && /E40[134]|ENEEDAUTH|\b40[13]\b/.test(log)) {
    const names = config.unset.map((name) => `\${${name}}`).join(', ');
    const [secret] = config.unset.filter((name) => /^(NPM_TOKEN|NODE_AUTH_TOKEN)$/.test(name));
    const pass = secret ? `pass it with --secret id=${secret},env=${secret}, or write` : 'write';
    return `the npm configuration of the secret npmrc uses ${names}, which the build does not have: ${pass} the value in its place`;
  }
  return '';
}

// aboutAccess is about a registry that does not give to everyone.
function aboutAccess(log, lock, config) {
  const found = / (4\d\d) (?:4\d\d )?(.*?) - GET (\S+?)(?: - (.*))?$/m.exec(log) || /fetch GET (4\d\d) ()(\S+)/.exec(log);
  const [, status, phrase, url, told] = found || [];
  const reason = told || (/^(|Forbidden|Unauthorized|Too Many Requests)$/.test(phrase || '') ? '' : phrase);
  const what = `${url ? ` (${[url, reason].filter(Boolean).join(': ')})` : ''}`;
  if (status === '429' || /E429/.test(log)) return `the npm registry has had too many requests${what}: try again later, or set mirrors for ${npmjs}`;
  if (status === '403' || /E403/.test(log)) {
    const name = packageOf(url) || 'a package';
    if (reason) return `the npm registry refuses ${name}${what}: use a version that it allows, or ask who runs the registry`;
    return `the npm registry refuses ${name}${what}: it wants other credentials, or does not allow the package; ${credentials(config)}`;
  }
  if (status === '401' || /E401|ENEEDAUTH/.test(log)) return `the npm registry wants other credentials${what}: ${credentials(config)}`;
  if (/\b407\b|Proxy Authentication Required|Proxy connection ended before receiving CONNECT/.test(log)) {
    return 'the proxy wants credentials: use one that wants none of the builder, or name it with them, which provenance and bake files record: --build-arg HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT';
  }
  if (/invalid json response body|ENODATA|EJSONPARSE/.test(log)) {
    const [, from] = /invalid json response body at (\S+)/.exec(log) || [];
    return `the npm registry did not answer as one${from ? ` (${from})` : ''}, as where a proxy or a login page answers for it: look at the address with curl`;
  }
  if (status) return `the npm registry refuses ${packageOf(url) || 'a package'} with ${status}${what}: ask who runs the registry`;
  return '';
}

function credentials({ given }) {
  if (!given) return 'pass an npm configuration with --secret id=npmrc,src=FILE';
  return 'see that the npm configuration of --secret id=npmrc names this host and path, as in //HOST/PATH/:_authToken=TOKEN, and that the token is valid';
}

// packageOf returns the package that an address of a registry is of.
function packageOf(url) {
  const file = /((?:@[^/]+\/)?[^/]+)\/-\/[^/]*?-(\d+\.\d+\.\d+[^/]*)\.tgz/.exec(decodeURIComponent(url || ''));
  if (file) return `${file[1]}@${file[2]}`;
  const [name] = /(@[^/]+\/)?[^/]+$/.exec(decodeURIComponent(url || '')) || [''];
  return name;
}

function aboutTLS(log) {
  if (/UNABLE_TO_GET_ISSUER_CERT|UNABLE_TO_VERIFY_LEAF_SIGNATURE|SELF_SIGNED_CERT|CERT_UNTRUSTED|unable to get local issuer certificate/.test(log)) {
    return "the npm registry's certificate is not trusted: pass the authority's with --secret id=ca,src=FILE";
  }
  const [code] = /CERT_HAS_EXPIRED|CERT_NOT_YET_VALID|ERR_TLS_CERT_ALTNAME_INVALID|EPROTO/.exec(log) || [];
  return code ? `the npm registry's certificate or TLS is not valid (${address(log)}, ${code}): have it mended, or use another registry or mirror` : '';
}

function aboutNetwork(log, lock, { registry }) {
  const [code] = /ECONNREFUSED|ENOTFOUND|ETIMEDOUT|EAI_AGAIN|ECONNRESET|ECONNABORTED|EHOSTUNREACH|ENETUNREACH|EPIPE|ERR_SOCKET_TIMEOUT|EIDLETIMEOUT|Socket timeout|network timeout/.exec(log) || [];
  if (code) {
    const where = `(${address(log) || registry}, ${code})`;
    if (!hasNetwork()) return `the npm registry cannot be reached ${where}: the step has no network; build without --network none`;
    return `the npm registry cannot be reached ${where}: check the builder's network, set mirrors for ${npmjs}, or pass --build-arg HTTPS_PROXY=…`;
  }
  const [, status] = /\b(5\d\d) (?:https?:\/\/|.*? - GET )/.exec(log) || [];
  return status ? `the npm registry fails (${address(log) || registry}, ${status}): try again later, or use another registry or mirror` : '';
}

function address(log) {
  return (/(?:request to|network timeout at:|fetch \w+ (?:\d{3} )?|GET) ?(https?:\/\/\S+)/.exec(log) || [])[1];
}

function hasNetwork() {
  return Object.values(os.networkInterfaces()).flat().some(({ internal }) => !internal);
}

module.exports = { explain };
