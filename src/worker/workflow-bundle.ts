import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger, type WorkflowBundleOption } from '@temporalio/worker';

/** Made by `npm run build`, beside the compiled code: an installed Waybill bundles nothing at start. */
const BUILT = fileURLToPath(new URL('./bundled-workflows.js', import.meta.url));

let bundled: Promise<WorkflowBundleOption> | undefined;

/** The workflows as Temporal's sandbox takes them, bundled once a process. */
export function workflowBundle(): Promise<WorkflowBundleOption> {
  if (existsSync(BUILT)) return Promise.resolve({ codePath: BUILT });
  bundled ??= bundle();
  return bundled;
}

/** Bundles src/workflows (or its compiled form). */
export async function bundle(): Promise<{ code: string }> {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const at = (file: string): string => fileURLToPath(new URL(`../workflows/${file}.${extension}`, import.meta.url));
  return bundleWorkflowCode({
    workflowsPath: at('workflows'),
    workflowInterceptorModules: [at('project-interceptor')],
    logger: new DefaultLogger('WARN'),
  });
}
