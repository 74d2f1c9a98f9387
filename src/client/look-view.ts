import type { LoadKind, Project } from '../config/definition.ts';
import { jobStatus } from '../control/states.ts';
import type { LoadLook } from './follow-run.ts';
import type { Named } from './names.ts';
import { viewWithoutBatch } from './batch-view.ts';
import type { BatchView, LoadStatus, SessionView } from './views.ts';
import { waitingWords } from './waiting.ts';

/** A run that has not ended, as the document that its end would have. */
export function lookView(project: Project, named: Named, looks: LoadLook[]): BatchView | SessionView {
  const loads = looks.map((look) => viewOf(look, project.loads[look.load]?.kind ?? 'task'));
  return named.kind === 'load' ? loads[0]! : { session: named.name, status: 'running', loads };
}

function viewOf(look: LoadLook, kind: LoadKind): BatchView {
  const words: Partial<Record<LoadLook['status'], LoadStatus>> = { failed: 'error', cancelled: 'error' };
  const view = viewWithoutBatch({ name: look.load, kind }, words[look.status] ?? (look.status as LoadStatus));
  if (look.reason !== undefined) view.reason = look.reason;
  if (look.waiting) view.waiting = waitingWords(look.waiting);
  if (!look.batch) return view;
  const sum = (of: (stage: LoadLook['stages'][number]) => number): number =>
    look.stages.reduce((total, stage) => total + of(stage), 0);
  return {
    ...view,
    status: jobStatus(look.batch.state),
    state: look.batch.state,
    batch_id: look.batch.batchId,
    rows_written: sum(({ rows }) => rows),
    rows_rejected: look.rejected ?? null,
    chunks: { done: sum(({ done }) => done), total: sum(({ total }) => total ?? 0) },
    started_at: look.batch.startedAt?.toISOString() ?? null,
  };
}
