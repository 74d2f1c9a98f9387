import type { LoadDefinition, SqlSource } from '../config/definition.ts';
import type { Reread } from '../config/reread.ts';
import type { Batch } from '../control/batch.ts';
import { keepsItsWork } from '../config/keeps-its-work.ts';
import { doneBefore } from '../control/continued.ts';
import { askWindow } from '../control/range-bounds.ts';
import { historyNames } from '../control/rename.ts';
import { lastLoadAt } from '../control/session-window.ts';
import type { Database } from '../database/dialect.ts';
import type { BatchValues } from '../sql/batch-sql.ts';
import type { SqlDialect } from '../sql/dialect.ts';
import { isRanged } from '../sql/ranged.ts';
import type { ParameterValue, SharedWindow } from '../workflows/messages.ts';
import { refused } from './failures.ts';
import type { Work } from './find-work.ts';

/** What a start says of the work. */
export interface WorkRequest {
  force: boolean;
  params: Record<string, ParameterValue>;
  window?: SharedWindow | undefined;
  /** Of acquisitions. */
  reread?: Reread | undefined;
}

/** A task goes on with what the last batch has left undone; or it does everything, over the bounds of now. */
export async function taskWork(
  database: Database,
  load: LoadDefinition,
  latest: Batch | undefined,
  request: WorkRequest,
): Promise<Work> {
  const continues = request.force ? undefined : await toContinue(database, load, latest, request);
  if (continues) {
    const { windowFrom: from, windowTo: to } = continues;
    return { kind: 'work', consumes: [], ...(to !== null && { window: { from, to } }), continues };
  }
  if (!load.range) return { kind: 'work', consumes: [] };
  const window = await askWindow(database, load, await valuesBefore(database, load, request));
  return 'nothing' in window ? { kind: 'nothing', reason: window.nothing } : { kind: 'work', consumes: [], window };
}

/** What SQL may know that is asked before a batch opens: neither its id nor its time. `validate` refuses those there. */
export async function valuesBefore(
  database: Database,
  load: LoadDefinition,
  { params, window }: Pick<WorkRequest, 'params' | 'window'>,
): Promise<BatchValues> {
  return {
    definition: load,
    batchId: '',
    loadAt: '',
    lastLoadAt: window ? window.from : await lastLoadAt(database, database, historyNames(load)),
    params: { ...load.params, ...params },
    consumed: {},
    invisible: [],
  };
}

/**
 * The failed or cancelled batch whose work stays; refused where the task has become another one since. What a person broke off to
 * begin anew is not gone on with, also where the workflow that should begin was terminated before it did.
 */
async function toContinue(
  database: Database,
  load: LoadDefinition,
  latest: Batch | undefined,
  request: WorkRequest,
): Promise<Batch | undefined> {
  if (!latest || !['failed', 'cancelled'].includes(latest.state) || !keepsItsWork(latest.definition)) return undefined;
  if (latest.errorClass === 'forced') return undefined;
  const change = changeSince(latest, load, request, database.dialect.sql);
  if (change === undefined) return latest;
  const done = await doneBefore(database, database, latest.batchId);
  if (done.chunks === 0 && done.before === 0) return undefined; // nothing is lost if it begins anew
  const ended = `batch ${latest.batchId}, which ended with ${done.chunks} chunk${done.chunks === 1 ? '' : 's'} done`;
  throw refused(`${change.what} in ${ended}: what is left cannot be told from what is done`, {
    where: load.file,
    next: `${change.mend}; or begin anew with everything: waybill run ${load.name} --force`,
  });
}

/** How a start differs from what a batch began; undefined: it can go on with it. */
function changeSince(
  { definition, params, sessionName, loadAt }: Batch,
  load: LoadDefinition,
  request: WorkRequest,
  dialect: SqlDialect,
): { what: string; mend: string } | undefined {
  const mend = 'put it back, and what is left is done';
  const [then, now] = [cutOf(definition, dialect), cutOf(load, dialect)];
  const edited = Object.keys(now).find((key) => JSON.stringify(then[key]) !== JSON.stringify(now[key]));
  if (edited !== undefined) return { what: `${edited} of ${load.name} is not what it was`, mend };
  const asked = Object.keys(request.params).find((name) => request.params[name] !== params[name]);
  if (asked !== undefined) return { what: `the parameter ${asked} is another one than`, mend };
  const { window } = request;
  if (!window || (sessionName === window.session && loadAt.toISOString() === window.to)) return undefined;
  return {
    what: `:load_at of session ${window.session} is not what it was`,
    mend: `finish what is left first, by itself (waybill run ${load.name}), then start the session again`,
  };
}

/** What decides which chunks there are, key by key. Its SQL may be mended meanwhile. */
const cutOf = (load: LoadDefinition, dialect: SqlDialect): Record<string, unknown> => ({
  outputs: load.outputs.map(({ table }) => table),
  range: load.range && JSON.stringify(load.range, withoutPlace),
  stages: load.stages.map((stage) => ({ name: stage.name, cut: isRanged(stage, dialect) })),
  before: load.before.length,
  output: load.output,
});

/** A query is its text, wherever in the file that stands. */
const withoutPlace = (key: string, value: unknown): unknown => (key === 'query' ? (value as SqlSource).text : value);

/** Parameters that were given when a batch was started: who goes on with it means the same ones. */
export function givenParams({ params, definition }: Batch): Record<string, ParameterValue> {
  return Object.fromEntries(Object.entries(params).filter(([name, value]) => definition.params[name] !== value));
}
