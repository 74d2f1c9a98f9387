import { errorView } from '../client/error-view.ts';
import type { LoadStatusRow } from '../client/read-status.ts';
import { findName } from '../client/names.ts';
import type { Project } from '../config/definition.ts';
import { EXIT } from '../errors.ts';
import type { AddCommand } from './cli.ts';
import { formatBetween, formatCount, formatTable, formatTime } from './format.ts';
import { statusWords } from './run-summary.ts';

export const addStatus: AddCommand = (program, cli, done) => {
  program
    .command('status')
    .description('the newest batch of every load, of one load, or of a session’s loads')
    .argument('[name]', 'a load or a session')
    .action(async (name?: string) => {
      await cli.withWaybill(
        async (waybill) => {
          const { loads, unanswered } = await waybill.status(name);
          cli.document(loads.map(({ view }) => view));
          cli.say(statusTable(loads, waybill.project, name));
          if (unanswered !== undefined) cli.note(unansweredWords(unanswered));
        },
        { check: (project) => name !== undefined && findName(project, name) },
      );
      done(EXIT.done);
    });
};

/** No failure: the ledger has said what it knows. */
function unansweredWords(error: unknown): string {
  const { message, next } = errorView(error);
  const words = `this is what the ledger says; which loads run, and for whom a start waits, is not known: ${message}`;
  return next === null ? words : `${words}\n  next: ${next}`;
}

function statusTable(rows: LoadStatusRow[], project: Project, name: string | undefined): string {
  const named = name === undefined ? undefined : findName(project, name);
  const wanted =
    named === undefined ? Object.keys(project.loads) : named.kind === 'load' ? [named.name] : named.session.loads;
  const never = wanted.filter((load) => !rows.some(({ view }) => view.load === load));
  const several = new Set(rows.map(({ connection }) => connection)).size > 1;
  const lines = [
    ...rows.map(({ view, connection }) => [
      view.load,
      view.batch_id === null ? '–' : several ? `${connection}/${view.batch_id}` : view.batch_id,
      statusWords(view),
      `${formatCount(view.chunks.done)}/${formatCount(view.chunks.total)}`,
      formatCount(view.rows_written),
      formatTime(view.started_at),
      formatBetween(view.started_at, view.finished_at),
    ]),
    ...never.map((load) => [load, '–', project.loads[load]!.enabled ? 'never ran' : 'disabled', '–', '–', '–', '–']),
  ].sort((a, b) => (a[0]! < b[0]! ? -1 : 1));
  const table = formatTable(
    [
      { title: 'load' },
      { title: 'batch', right: true },
      { title: 'status' },
      { title: 'chunks', right: true },
      { title: 'rows', right: true },
      { title: 'started' },
      { title: 'took', right: true },
    ],
    lines,
  );
  const remarks = rows.flatMap(remarksOf);
  return [table, ...(remarks.length > 0 ? ['', ...remarks] : [])].join('\n');
}

function remarksOf({ view, workflow, starting = false }: LoadStatusRow): string[] {
  const at = view.batch_id === null ? view.load : `${view.load}, batch ${view.batch_id}`;
  if (workflow === 'ended') {
    return [`${at}: its workflow has ended without finishing it\n  next: waybill run ${view.load} does it again`];
  }
  if (workflow === 'unknown') {
    return [`${at}: Temporal does not know its workflow\n  next: waybill plan ${view.load} says what a start does`];
  }
  if (view.stuck !== undefined) return [`${at}: ${view.stuck.message}\n  next: ${view.stuck.next}`];
  if (view.waiting !== undefined) {
    const next =
      view.state === 'published' && !starting
        ? `\n  next: the next start drops it first; nothing is lost meanwhile`
        : '';
    return [`${at}: ${view.waiting}${next}`];
  }
  if (view.error === null) return [];
  const next = view.error.next === null ? '' : `\n  next: ${view.error.next}`;
  return [`${at}: ${view.error.message.split('\n')[0]}${next}`];
}
