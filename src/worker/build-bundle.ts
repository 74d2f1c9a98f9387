/** Run by `npm run build`: bundles the compiled workflows, so that an installed worker starts without a bundler's pause. */
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { bundle } from './workflow-bundle.ts';

const { code } = await bundle();
await writeFile(fileURLToPath(new URL('./bundled-workflows.js', import.meta.url)), code);
