/**
 * Adds the platform packages that npm left out of package-lock.json. A registry that lacks a package for some other
 * platform (a mirror, as a rule) makes `npm install` write a lock that `npm ci` then refuses as incomplete. Run it after
 * each `npm install` that changed the lock: node scripts/complete-lock.mjs
 */
import console from 'node:console';
import { readFileSync, writeFileSync } from 'node:fs';
import { URL } from 'node:url';

const FILE = new URL('../package-lock.json', import.meta.url);
const OS = {
  darwin: /darwin/,
  win32: /win32|windows/,
  android: /android/,
  freebsd: /freebsd/,
  openbsd: /openbsd/,
  netbsd: /netbsd/,
  sunos: /sunos/,
  aix: /aix/,
  openharmony: /openharmony/,
  linux: /linux/,
};
const CPU = {
  arm64: /arm64|aarch64/,
  x64: /x64|x86_64/,
  ia32: /ia32/,
  ppc64: /ppc64/,
  s390x: /s390x/,
  riscv64: /riscv64/,
  loong64: /loong64/,
  wasm32: /wasm32/,
  arm: /arm/,
};
const nameOf = (table, name) => Object.keys(table).find((key) => table[key].test(name));

const lock = JSON.parse(readFileSync(FILE, 'utf8'));
for (const [path, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    if (isThere(path, name)) continue;
    const [os, cpu] = [nameOf(OS, name), nameOf(CPU, name)];
    lock.packages[`node_modules/${name}`] = {
      version: version.replace(/^[\^~]/, ''),
      ...(cpu && { cpu: [cpu] }),
      ...(entry.dev && { dev: true }),
      optional: true,
      ...(os && { os: [os] }),
    };
    console.log(`added ${name} ${version}`);
  }
}
const { '': root, ...packages } = lock.packages;
lock.packages = { '': root, ...Object.fromEntries(Object.entries(packages).sort(([a], [b]) => (a < b ? -1 : 1))) };
writeFileSync(FILE, `${JSON.stringify(lock, undefined, 2)}\n`);

/** Where Node would look for it from `path`, up to the root. */
function isThere(path, name) {
  for (let folder = path; ; folder = folder.slice(0, folder.lastIndexOf('node_modules/')).replace(/\/$/, '')) {
    if (lock.packages[`${folder === '' ? '' : `${folder}/`}node_modules/${name}`]) return true;
    if (!folder.includes('node_modules/')) return false;
  }
}
