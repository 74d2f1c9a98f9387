import { CancellationScope, CancelledFailure } from '@temporalio/workflow';
import { failureOf } from './error-summary.ts';
import { FAILURE, type SessionLoadResult } from './messages.ts';

/** Throws how the session ends where not every load ended well: which, why the first of them, and what then. */
export function refuseBad(session: string, loads: SessionLoadResult[], sharesWindow: boolean): void {
  if (CancellationScope.current().consideredCancelled) throw new CancelledFailure('cancelled');
  const bad = loads.filter((result) => !['finished', 'nothing'].includes(result.status));
  if (bad.length === 0) return;
  const ended = bad.filter((result) => result.status !== 'skipped');
  const first = ended[0] ?? bad[0]!;
  const { message, where, next } = first.error ?? { message: first.status };
  const cancelled = ended.every((result) => result.status === 'cancelled');
  const names = ended.map((result) => result.load).join(', ');
  const verb = cancelled ? (ended.length === 1 ? 'was cancelled' : 'were cancelled') : 'failed';
  const whose = ended.length === 1 ? '' : `${first.load}: `;
  const again = `waybill run ${session}${sharesWindow ? ', which does not do again what was done' : ''}`;
  throw failureOf(
    {
      type: cancelled ? FAILURE.cancelled : FAILURE.loadFailed,
      message: `${names} ${verb}${skipped(bad.length - ended.length)}: ${whose}${message}`,
      where: `session ${session}${where === undefined ? '' : `, ${where}`}`,
      next: `${next ?? 'mend it'}; then ${again}`,
    },
    { loads },
  );
}

const skipped = (n: number): string => (n === 0 ? '' : `, and ${n} that need${n === 1 ? 's' : ''} it skipped`);
