import { setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow';
import { defineSearchAttributeKey, SearchAttributeType, type SearchAttributePair } from '@temporalio/common';
import type { OpenedBatch } from '../activities/opened-batch.ts';
import {
  heldUpWords,
  type BatchState,
  type ErrorSummary,
  type HeldUp,
  type LoadProgress,
  type StageProgress,
} from './messages.ts';

const ATTRIBUTES = {
  load: defineSearchAttributeKey('WaybillLoad', SearchAttributeType.KEYWORD),
  kind: defineSearchAttributeKey('WaybillKind', SearchAttributeType.KEYWORD),
  state: defineSearchAttributeKey('WaybillState', SearchAttributeType.KEYWORD),
  batchId: defineSearchAttributeKey('WaybillBatchId', SearchAttributeType.INT),
  rows: defineSearchAttributeKey('WaybillRows', SearchAttributeType.INT),
};

/** What the workflow knows of its batch, kept in three places: the query, the page of the Temporal UI, search attributes. */
export class Progress {
  readonly view: LoadProgress;
  private known: ReadonlySet<string> = new Set();
  private shown = '';

  constructor(load: string, continued: number) {
    this.view = { load, phase: 'opening', paused: false, lanes: 0, stages: [], continued };
  }

  opened(batch: OpenedBatch): void {
    this.known = new Set(batch.searchAttributes);
    this.view.batch = { connection: batch.connection, batchId: batch.batchId };
    this.view.lanes = batch.lanes;
    delete this.view.error;
    this.view.stages = batch.stages.map((stage): StageProgress => ({
      name: stage.name,
      state: stage.chunksTotal === null ? 'waiting' : stage.chunksDone === stage.chunksTotal ? 'done' : 'running',
      chunksDone: stage.chunksDone,
      chunksTotal: stage.chunksTotal ?? 0,
      rows: stage.rows,
      lanes: 0,
    }));
    this.upsert([
      { key: ATTRIBUTES.load, value: batch.load },
      { key: ATTRIBUTES.kind, value: batch.kind },
      { key: ATTRIBUTES.batchId, value: Number(batch.batchId) },
    ]);
    this.state(batch.state);
  }

  phase(phase: string): void {
    this.view.phase = phase;
    this.show();
  }

  /** For whom it waits; undefined: for nobody any more. */
  waits(waiting: HeldUp | undefined): void {
    if (waiting) this.view.waiting = waiting;
    else delete this.view.waiting;
    this.show();
  }

  state(state: BatchState): void {
    if (this.view.state === state) return;
    this.view.state = state;
    this.upsert([{ key: ATTRIBUTES.state, value: state }]);
    this.show();
  }

  stage(n: number, change: Partial<StageProgress>): void {
    const stage = this.view.stages[n - 1];
    if (stage) Object.assign(stage, change);
    this.show();
  }

  failed(error: ErrorSummary): void {
    this.view.error = error;
    this.show();
  }

  rows(rows: number): void {
    this.upsert([{ key: ATTRIBUTES.rows, value: rows }]);
  }

  /** Draws the page that the Temporal UI shows. */
  show(): void {
    const page = progressPage(this.view);
    if (page === this.shown) return;
    this.shown = page;
    setCurrentDetails(page);
  }

  private upsert(pairs: SearchAttributePair[]): void {
    const known = pairs.filter((pair) => this.known.has(pair.key.name));
    if (known.length > 0) upsertSearchAttributes(known);
  }
}

const MARKS = { waiting: '·', planning: '…', running: '▶', done: '✔', failed: '✘' } as const;

function progressPage(view: LoadProgress): string {
  const lines = [
    `**${view.load}**${view.batch ? ` · batch ${view.batch.batchId}` : ''} · ${view.paused ? 'paused' : view.phase}` +
      (view.state ? ` (${view.state})` : ''),
  ];
  if (view.waiting) lines.push('', `It ${heldUpWords(view.waiting)}`);
  if (view.error) {
    lines.push('', `**${view.error.type}**: ${view.error.message}`);
    if (view.error.where) lines.push('', `Where: ${view.error.where}`);
    if (view.error.next) lines.push('', `Next: ${view.error.next}`);
  }
  if (view.stages.length > 0) {
    lines.push('', row('', 'stage', 'chunks', 'rows', 'lanes'), '|---|---|---:|---:|---:|');
    for (const stage of view.stages) {
      const total =
        stage.state === 'waiting' || stage.state === 'planning' ? '?' : stage.chunksTotal.toLocaleString('en');
      lines.push(
        row(
          MARKS[stage.state],
          stage.name,
          `${stage.chunksDone.toLocaleString('en')} of ${total}`,
          stage.rows.toLocaleString('en'),
          stage.lanes === 0 ? '' : String(stage.lanes),
        ),
      );
    }
  }
  return lines.join('\n');
}

/** A line of a table. The UI gives cells no room of their own, so hard spaces keep columns apart. */
export const row = (...cells: string[]): string => `| ${cells.map((cell) => `\u00a0${cell}\u00a0`).join(' | ')} |`;
