/** The command line as an installed Waybill has it: plain JavaScript, which starts three times as fast as source does. */
import { cp, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { bundledWorkflows } from '../servers.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

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

/** Compiles src into a folder of this test's own (half a second), with all that the package ships beside it. */
export async function compileCli(): Promise<CompiledCli> {
  const parent = join(ROOT, '.waybill'); // below node_modules, and no part of the repository
  await mkdir(parent, { recursive: true });
  const folder = await mkdtemp(join(parent, 'test-cli-'));
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
  await cp(bundledWorkflows(), join(folder, 'dist', 'worker', 'bundled-workflows.js'));
  return { main: join(folder, 'dist', 'cli', 'main.js'), remove: () => rm(folder, { recursive: true, force: true }) };
}
