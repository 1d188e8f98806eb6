// What the user's npm configuration, the secret npmrc, says that npm must not ignore.
'use strict';
const fs = require('fs');

const npmjs = 'https://registry.npmjs.org/';

// readConfig returns the environment that npm gets, and what is needed of the configuration beside:
// registryOf gives the registry of a package, unset are the variables that it uses and that are not
// there, given says whether there is a configuration, omitsOptional whether it leaves out optional
// packages, and mask hides its secrets in a text.
function readConfig(env) {
  const file = env.npm_config_userconfig || '';
  const given = fs.existsSync(file);
  const lines = given ? fs.readFileSync(file, 'utf8').split(/\r?\n/) : [];
  const unset = new Set();
  const settings = new Map();
  for (const line of lines) {
    const [, key, value] = /^\s*([^;#=\s][^=]*?)\s*=\s*(.*?)\s*$/.exec(line) || [];
    if (key) settings.set(expand(key, env, unset), unquote(expand(value, env, unset)));
  }
  const npmEnv = { ...env, ...overrides(settings, env) };
  const slash = (url) => url.replace(/\/*$/, '/');
  const registryOf = (name) => slash(settings.get(`${name.split('/')[0]}:registry`) || npmEnv.npm_config_registry);
  const omitsOptional = /optional/.test(settings.get('omit') || settings.get('omit[]')) || settings.get('optional') === 'false';
  return { env: npmEnv, omitsOptional, registryOf, registry: npmEnv.npm_config_registry, given, unset: [...unset], mask: masker(secrets(settings, env)) };
}

// overrides are the settings of the user's that take the place of samforge's: npm itself would let
// those of the environment win. A mirror of registry.npmjs.org takes the place of that registry only.
function overrides(settings, env) {
  const values = {};
  for (const name of ['registry', 'fetch-retries', 'fetch-retry-factor', 'fetch-retry-mintimeout', 'fetch-retry-maxtimeout', 'fetch-timeout']) {
    const value = settings.get(name);
    if (value && !(name === 'registry' && value.replace(/\/*$/, '/') === npmjs)) values[`npm_config_${name.replace(/-/g, '_')}`] = value;
  }
  return values;
}

// expand replaces ${NAME} as npm does, and leaves a name that is not set; ${NAME?} is empty then. A
// variable that is empty counts as not set: BuildKit makes one of an optional secret that is not given.
// https://docs.npmjs.com/cli/configuring-npm/npmrc
function expand(text, env, unset) {
  return text.replace(/(?<!\\)\$\{([^${}?]+)(\?)?\}/g, (all, name, optional) => {
    if (env[name]) return env[name];
    if (optional) return '';
    unset.add(name);
    return env[name] === undefined ? all : '';
  });
}

function unquote(value) {
  return /^(".*"|'.*')$/.test(value) ? value.slice(1, -1) : value;
}

// secrets are the credentials of a configuration, in each form that they are sent in.
function secrets(settings, env) {
  const found = [env.NPM_TOKEN, env.NODE_AUTH_TOKEN];
  for (const [key, value] of settings) {
    const [, place, kind] = /^(.*?)(_authToken|_auth|_password)$/.exec(key) || [];
    if (!kind) continue;
    found.push(value);
    if (kind === '_auth') found.push(Buffer.from(value, 'base64').toString());
    if (kind !== '_password') continue;
    const password = Buffer.from(value, 'base64').toString();
    found.push(password, Buffer.from(`${settings.get(`${place}username`)}:${password}`).toString('base64'));
  }
  return found.filter((secret) => secret && secret.length > 3 && !secret.startsWith('${')).sort((a, b) => b.length - a.length);
}

function masker(hidden) {
  return (text) => hidden.reduce((rest, secret) => rest.split(secret).join('*****'), text);
}

module.exports = { readConfig };
