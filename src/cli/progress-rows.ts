import type { LoadLook } from '../client/follow-run.ts';
import { waitingWords } from '../client/waiting.ts';

/** A stage as it is shown: counts, speed, and what is left. */
export interface StageRow {
  name: string;
  done: number;
  /** Undefined: not planned yet. */
  total: number | undefined;
  rows: number;
  rowsPerSecond: number | undefined;
  secondsLeft: number | undefined;
  running: boolean;
}

/** Speed is that of the last so many milliseconds: it follows a change of lanes, and does not jump with each chunk. */
const WINDOW_MS = 15_000;

interface Sample {
  at: number;
  rows: number;
  chunks: number;
}

/** Turns what a follower sees, look after look, into stages with their speed. */
export class ProgressRows {
  private readonly samples = new Map<string, Sample[]>();

  constructor(private readonly now: () => number = Date.now) {}

  of(look: LoadLook): StageRow[] {
    return look.stages.map((stage) => {
      const total = stage.total ?? undefined;
      const running = look.status === 'running' && total !== undefined && stage.done < total;
      const key = `${look.load} ${look.batch?.batchId ?? ''} ${stage.n}`;
      const { rowsPerSecond, chunksPerSecond } = this.speed(key, {
        at: this.now(),
        rows: stage.rows,
        chunks: stage.done,
      });
      return {
        name: stage.name,
        done: stage.done,
        total,
        rows: stage.rows,
        rowsPerSecond: running ? rowsPerSecond : overall(stage),
        secondsLeft:
          running && chunksPerSecond !== undefined && chunksPerSecond > 0
            ? (total - stage.done) / chunksPerSecond
            : undefined,
        running,
      };
    });
  }

  private speed(key: string, sample: Sample): { rowsPerSecond?: number; chunksPerSecond?: number } {
    const kept = (this.samples.get(key) ?? []).filter(({ at }) => sample.at - at <= WINDOW_MS);
    kept.push(sample);
    this.samples.set(key, kept);
    const seconds = (sample.at - kept[0]!.at) / 1000;
    if (seconds < 0.4) return {};
    return {
      rowsPerSecond: (sample.rows - kept[0]!.rows) / seconds,
      chunksPerSecond: (sample.chunks - kept[0]!.chunks) / seconds,
    };
  }
}

/** Of a stage that is done: from its first chunk to its last. */
function overall(stage: LoadLook['stages'][number]): number | undefined {
  if (stage.startedAt === null || stage.finishedAt === null) return undefined;
  const seconds = (stage.finishedAt.getTime() - stage.startedAt.getTime()) / 1000;
  return seconds > 0 ? stage.rows / seconds : undefined;
}

/** `core.flight · batch 114 · flights`: where a load is, in a few words. For whom it waits stands in `waitingLine`. */
export function headline(look: LoadLook): string {
  const parts = [look.load];
  if (look.batch) parts.push(`batch ${look.batch.batchId}`);
  if (look.status !== 'running') parts.push(END_WORDS[look.status] ?? look.status);
  else if (look.paused) parts.push('paused');
  else if (look.phase !== undefined) parts.push(look.phase);
  const error = look.status === 'cancelled' ? undefined : look.error;
  if (error !== undefined) parts.push(error.split('\n')[0]!);
  return parts.join(' · ');
}

/** `waits for acq.flight, in use by connection 4711 (mary, psql, query 340 s)`; undefined: it does not wait. */
export const waitingLine = (look: LoadLook): string | undefined =>
  look.status === 'running' && look.waiting ? waitingWords(look.waiting) : undefined;

const END_WORDS: Partial<Record<LoadLook['status'], string>> = { finished: 'published', nothing: 'nothing to do' };
