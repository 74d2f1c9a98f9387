/** Compiles src into plain JavaScript, which starts three times as fast as source does, as an installed Waybill has it. */
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Files stay files of their own, as `npm run build` leaves them: only the endings of their imports change. */
const keepFiles: Plugin = {
  name: 'keep-files',
  setup: (compiler) => {
    compiler.onResolve({ filter: /^\./ }, ({ kind, path }) =>
      kind === 'entry-point' ? undefined : { path: path.replace(/\.ts$/, '.js'), external: true },
    );
  },
};

export interface CompiledCli {
  /** Its program: `dist/cli/main.js` of a package of its own. */
  main: string;
  remove(): Promise<void>;
}

/**
 * Compiles src into a folder of its own (half a second), once a run, with all that the package ships beside it.
 *
 * @param workflows their code, bundled: a worker that runs from it bundles nothing itself
 */
export async function compileCli(workflows: string): Promise<CompiledCli> {
  const parent = join(ROOT, '.waybill'); // below node_modules, and no part of the repository
  await mkdir(parent, { recursive: true });
  const folder = await mkdtemp(join(parent, 'compiled-'));
  const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' });
  await build({
    entryPoints: sources.filter((file) => file.endsWith('.ts')).map((file) => join(ROOT, 'src', file)),
    outdir: join(folder, 'dist'),
    outbase: join(ROOT, 'src'),
    bundle: true,
    packages: 'external',
    platform: 'node',
    target: 'node20',
    format: 'esm',
    plugins: [keepFiles],
  });
  for (const shipped of ['migrations', 'schemas', 'templates', 'package.json']) {
    await symlink(join(ROOT, shipped), join(folder, shipped));
  }
  await writeFile(join(folder, 'dist', 'worker', 'bundled-workflows.js'), workflows);
  return { main: join(folder, 'dist', 'cli', 'main.js'), remove: () => rm(folder, { recursive: true, force: true }) };
}
