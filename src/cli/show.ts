import { readBatchId } from '../client/ledger.ts';
import { chunkDocument, detailsDocument, type BatchDetails } from '../client/show-batch.ts';
import type { ChunkReading } from '../control/reading.ts';
import { EXIT } from '../errors.ts';
import type { AddCommand, Cli } from './cli.ts';
import {
  formatBetween,
  formatCount,
  formatTable,
  formatTime,
  GrowingTable,
  indent,
  plural,
  type Column,
} from './format.ts';
import { statusWords } from './run-summary.ts';

export const addShow: AddCommand = (program, cli, done) => {
  program
    .command('show')
    .description(
      'one batch: its stages, checks, steps, troubled chunks with their errors, lineage, events, what to do next',
    )
    .argument('<batch>', '114, or warehouse/114')
    .option('--ranges', 'every range with its rows, start, stop and duration, and not only the slowest of a task')
    .action(async (batch: string, options: { ranges?: boolean }) => {
      await cli.withWaybill(
        async (waybill) => {
          const details = await waybill.show(batch);
          if (options.ranges === true) await showEveryRange(cli, details, waybill.ranges(batch));
          else {
            cli.document(detailsDocument(details));
            cli.say(page(details, slowest(details)));
          }
        },
        { check: (project) => readBatchId(project, batch) },
      );
      done(EXIT.done);
    });
};

/** They are written as they are read: a task may have millions. */
async function showEveryRange(cli: Cli, details: BatchDetails, pieces: AsyncIterable<ChunkReading[]>): Promise<void> {
  if (cli.json) {
    await cli.documentWith(detailsDocument(details), 'ranges', mapped(pieces, chunkDocument));
    return;
  }
  cli.say(page(details, ''));
  const table = new GrowingTable(columnsOf(details));
  let separator = '\n';
  for await (const rows of mapped(pieces, (range) => rowOf(range, details))) {
    if (!(await cli.write(`${separator}${table.add(rows)}\n`))) return;
    separator = '';
  }
}

async function* mapped<T, R>(pieces: AsyncIterable<T[]>, change: (item: T) => R): AsyncGenerator<R[]> {
  for await (const piece of pieces) yield piece.map(change);
}

function page(details: BatchDetails, ranges: string): string {
  const parts = [
    ...[head(details), stages(details), steps(details), checks(details), chunks(details), rejected(details)],
    ...[ranges, events(details)],
  ];
  if (details.next !== null) parts.push(`Next: ${details.next}`);
  return parts.filter((part) => part !== '').join('\n\n');
}

function head({ connection, batch, view, inputs, outputs, doneBefore }: BatchDetails): string {
  const facts: [string, string | null][] = [
    ['load', `${batch.loadName} (${batch.kind}, connection ${connection})`],
    ['about', batch.definition.description?.trimEnd() ?? null],
    ['state', `${statusWords(view)}${batch.errorClass !== null && view.error ? ` (${batch.errorClass})` : ''}`],
    ['started', `${formatTime(view.started_at)}${batch.requestedBy === null ? '' : ` by ${batch.requestedBy}`}`],
    ['took', formatBetween(view.started_at, view.finished_at)],
    [
      'rows',
      `${formatCount(view.rows_written)} written${readWords(view.rows_read)}${rejectedWords(view.rows_rejected)}`,
    ],
    ['redoes', batch.reprocessOf === null || doneBefore !== null ? null : `batch ${batch.reprocessOf}`],
    ['goes on', doneBefore && beforeWords(doneBefore)],
    ['window', windowWords(batch.windowFrom, batch.windowTo)],
    ['from', lineage(inputs)],
    ['into', outputs.length === 0 ? null : outputs.join(', ')],
    ['error', view.error?.message ?? null],
    ['now', view.waiting ?? null],
    ['stuck', view.stuck?.message ?? null],
  ];
  const shown = facts.filter((fact): fact is [string, string] => fact[1] !== null);
  return [`Batch ${batch.batchId}`, ...shown.map(([name, text]) => `  ${name.padEnd(8)} ${indent(text, 11)}`)].join(
    '\n',
  );
}

/** What stays of the batches that this one goes on with. */
function beforeWords({ batches, chunks, rows }: NonNullable<BatchDetails['doneBefore']>): string {
  const which = `batch${batches.length === 1 ? '' : 'es'} ${batches.join(', ')}`;
  return `where ${which} ended: ${plural(chunks, 'chunk')} had been done, ${plural(rows, 'row')} written`;
}

const readWords = (rows: number | null): string => (rows === null ? '' : `, ${formatCount(rows)} read`);

const rejectedWords = (rows: number | null): string => (rows ? `, ${formatCount(rows)} rejected` : '');

function windowWords(from: string | null, to: string | null): string | null {
  if (from === null && to === null) return null;
  return `${from === null ? 'the beginning' : `from ${from}`} ${to === null ? 'on' : `up to, not with, ${to}`}`;
}

function lineage(inputs: BatchDetails['inputs']): string | null {
  if (inputs.length === 0) return null;
  const byLoad = new Map<string, string[]>();
  for (const { load, via, batchId } of inputs) {
    const key = `${load} (${via})`;
    byLoad.set(key, [...(byLoad.get(key) ?? []), batchId]);
  }
  return [...byLoad].map(([load, batches]) => `${load} ${batches.join(', ')}`).join('; ');
}

function stages({ stages }: BatchDetails): string {
  if (stages.length === 0) return '';
  return formatTable(
    [
      { title: 'stage' },
      { title: 'chunks', right: true },
      { title: 'failed', right: true },
      { title: 'rows', right: true },
      { title: 'took', right: true },
    ],
    stages.map(({ name, done, total, failed, rows, startedAt, finishedAt }) => [
      name,
      total === null ? 'not planned' : `${formatCount(done)}/${formatCount(total)}`,
      formatCount(failed),
      formatCount(rows),
      formatBetween(startedAt?.toISOString() ?? null, finishedAt?.toISOString() ?? startedAt?.toISOString() ?? null),
    ]),
  );
}

function steps({ steps }: BatchDetails): string {
  return steps.length === 0
    ? ''
    : steps
        .map(
          ({ phase, n, state, error }) =>
            `${phase} step ${n}: ${state}${error === null ? '' : `: ${indent(error, 2)}`}`,
        )
        .join('\n');
}

function checks({ checks }: BatchDetails): string {
  if (checks.length === 0) return '';
  return formatTable(
    [{ title: 'check' }, { title: 'expected', right: true }, { title: 'found', right: true }, { title: 'result' }],
    checks.map(({ name, severity, expected, actual, passed }) => [
      ...[name, expected, actual ?? 'nothing'],
      passed ? 'passed' : severity === 'warn' ? 'warning' : 'failed',
    ]),
  );
}

function chunks({ troubledChunks, stages }: BatchDetails): string {
  return troubledChunks
    .map(({ stage, n, state, attempts, range, error, worker }) => {
      const name = stages.find((candidate) => candidate.n === stage)?.name ?? String(stage);
      const between =
        range.from === null && range.to === null ? '' : `, ${range.from ?? 'start'} to ${range.to ?? 'end'}`;
      const tries = `${state} after ${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}`;
      const head = `${name}, chunk ${n}${between}: ${tries}${worker === null ? '' : ` (${worker})`}`;
      return error === null ? head : `${head}\n  ${indent(error, 2)}`;
    })
    .join('\n');
}

function rejected({ rejected: { count, rows }, stages, batch }: BatchDetails): string {
  if (count === 0) return '';
  const lines = rows.map(({ stage, key, error }) => {
    const name = stages.find((candidate) => candidate.n === stage)?.name ?? String(stage);
    return `${name}, row ${key ?? 'without a key'} rejected\n  ${indent(error ?? '', 2)}`;
  });
  const more = count > rows.length ? [`… and ${formatCount(count - rows.length)} more`] : [];
  return [...lines, ...more, `All of them, with their columns: rejected_row of batch ${batch.batchId}.`].join('\n');
}

/** Of a task: where the time went. */
function slowest(details: BatchDetails): string {
  const { ranges, stages } = details;
  if (ranges.length < 2) return '';
  const done = stages.reduce((n, stage) => n + stage.done, 0);
  const table = formatTable(
    columnsOf(details),
    ranges.map((range) => rowOf(range, details)),
  );
  return ranges.length < done
    ? `The ${ranges.length} slowest of ${formatCount(done)} ranges (--ranges shows all)\n${table}`
    : table;
}

const columnsOf = ({ stages }: BatchDetails): Column[] => [
  ...(stages.length > 1 ? [{ title: 'stage' }] : []),
  ...[{ title: 'chunk', right: true }, { title: 'from' }, { title: 'to' }, { title: 'rows', right: true }],
  ...[{ title: 'started' }, { title: 'stopped' }, { title: 'took', right: true }],
];

function rowOf(
  { stage, n, state, range, rows, startedAt, finishedAt }: ChunkReading,
  { stages }: BatchDetails,
): string[] {
  return [
    ...(stages.length > 1 ? [stages.find((candidate) => candidate.n === stage)?.name ?? ''] : []),
    ...[formatCount(n), range.from ?? '', range.to ?? '', formatCount(rows)],
    ...[formatTime(startedAt), formatTime(finishedAt)],
    state === 'done' ? secondsBetween(startedAt, finishedAt) : state,
  ];
}

const secondsBetween = (from: Date | null, to: Date | null): string =>
  from === null || to === null ? '–' : `${(to.getTime() - from.getTime()) / 1000} s`;

/** Who opened it also stands behind what came of that by itself: said once. */
function events({ events, batch }: BatchDetails): string {
  return events
    .map(({ what, requestedBy, reason, happenedAt }) => {
      const again = requestedBy === batch.requestedBy && !['opened', 'cancel_requested'].includes(what);
      const by = requestedBy === null || again ? '' : ` by ${requestedBy}`;
      return `${formatTime(happenedAt)}  ${what.replaceAll('_', ' ')}${by}${reason === null ? '' : ` (${reason})`}`;
    })
    .join('\n');
}
