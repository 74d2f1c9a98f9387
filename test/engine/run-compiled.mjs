/**
 * Runs a compiled file (argument 1) with the machine code that V8 made of it before, and kept beside it; `--keep` makes and keeps it.
 * Nearly half of the start of a process that lives for two seconds is reading the code of its packages. Both times under the flags below: V8
 * takes nothing that was made under other ones.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import process from 'node:process';
import { setFlagsFromString } from 'node:v8';
import { Script } from 'node:vm';

setFlagsFromString('--no-opt'); // it lives too short for optimized code to pay
setFlagsFromString('--heap-growing-percent=150'); // as the worker sets it itself: src/copy/free-pieces.ts

const [, , file, keep] = process.argv;
const kept = `${file}.v8`;
const script = new Script(
  `(function (exports, require, module, __filename, __dirname) {${readFileSync(file, 'utf8')}\n})`,
  {
    filename: file,
    cachedData: existsSync(kept) ? readFileSync(kept) : undefined,
  },
);
if (script.cachedDataRejected) throw new Error(`V8 does not take ${kept}: which of its flags does the code set?`);
const module = { exports: {} };
script.runInThisContext()(module.exports, createRequire(file), module, file, dirname(file));
if (keep === '--keep') writeFileSync(kept, script.createCachedData());
