/** The worker process of the tests, compiled to one file: started by tsx it takes 2.5 s of a processor before its first line, so 1 s. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** Packages are not compiled in: they must be found from where the file stands. */
const CACHE = join(ROOT, 'node_modules/.cache');

/** Compiled anew for each run of the tests, beside whatever other runs do. */
export async function compileWorkerProcess(): Promise<{ path: string; remove: () => Promise<void> }> {
  await mkdir(CACHE, { recursive: true });
  const directory = await mkdtemp(join(CACHE, 'waybill-test-'));
  const path = join(directory, 'worker-process.mjs');
  await build({
    entryPoints: [join(ROOT, 'test/engine/worker-process.ts')],
    outfile: path,
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    logLevel: 'warning',
    // What the code looks for beside itself (migrations) stands where it stood: two folders above a file of src.
    define: { 'import.meta.url': JSON.stringify(pathToFileURL(join(ROOT, 'src/worker/worker.ts')).href) },
  });
  return { path, remove: () => rm(directory, { recursive: true, force: true }) };
}
