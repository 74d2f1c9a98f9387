/**
 * The worker process of the tests, with its packages, compiled to one file whose code V8 finds compiled: started by tsx it takes 2.5 s of a
 * processor before its first line, of files as they are 0.9 s, so 0.3 s. Every kill takes one.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { build, type Plugin } from 'esbuild';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** Below node_modules: what has native parts is not compiled in, and is found from there. */
const CACHE = join(ROOT, 'node_modules/.cache');
const RUN_COMPILED = join(ROOT, 'test/engine/run-compiled.mjs');
const SDK = join(ROOT, 'node_modules/@temporalio/worker/lib');

/** It is given its workflows bundled: what bundles them, webpack above all, is half of what it would load. */
const withoutBundler: Plugin = {
  name: 'without-bundler',
  setup: (compiler) => {
    compiler.onLoad({ filter: /worker\/lib\/workflow\/bundler\.js$/ }, () => ({
      contents: 'exports.defaultWorkflowInterceptorModules = [];',
    }));
  },
};

/** Compiled anew for each run of the tests, beside whatever other runs do. */
export async function compileWorkerProcess(): Promise<{ run: string[]; remove: () => Promise<void> }> {
  await mkdir(CACHE, { recursive: true });
  const directory = await mkdtemp(join(CACHE, 'waybill-test-'));
  await build({
    entryPoints: [
      join(ROOT, 'test/engine/worker-process.ts'),
      join(SDK, 'workflow/workflow-worker-thread.js'), // looked for beside the file that starts it
    ],
    outdir: directory,
    entryNames: '[name]',
    bundle: true,
    external: ['@temporalio/core-bridge', 'source-map', 'pg-native'],
    plugins: [withoutBundler],
    platform: 'node',
    format: 'cjs',
    logLevel: 'warning',
    logOverride: { 'require-resolve-not-external': 'silent' },
    // What the code looks for beside itself (migrations) stands where it stood: two folders above a file of src.
    define: { 'import.meta.url': JSON.stringify(pathToFileURL(join(ROOT, 'src/worker/worker.ts')).href) },
  });
  const path = join(directory, 'worker-process.js');
  await promisify(execFile)(process.execPath, [RUN_COMPILED, path, '--keep']);
  return { run: [RUN_COMPILED, path], remove: () => rm(directory, { recursive: true, force: true }) };
}
