import type { RunFollower } from '../client/follow-run.ts';
import type { TemporalTarget } from '../client/temporal-target.ts';

/** Address of a run's page in the Temporal UI; undefined: nobody said where the UI is (`WAYBILL_UI`). */
export function runPage(env: NodeJS.ProcessEnv, target: TemporalTarget, { run }: RunFollower): string | undefined {
  const ui = env['WAYBILL_UI'] ?? devServerUi(target.address);
  if (ui === undefined || ui === '') return undefined;
  const workflow = encodeURIComponent(run.workflowId);
  return `${ui.replace(/\/$/, '')}/namespaces/${target.namespace}/workflows/${workflow}/${run.firstRunId}`;
}

/** `temporal server start-dev` has its UI a thousand ports above. */
function devServerUi(address: string): string | undefined {
  return /^(localhost|127\.0\.0\.1|\[::1\]):7233$/.test(address) ? 'http://localhost:8233' : undefined;
}
