import type { LoadLook } from '../client/follow-run.ts';
import { formatCount, formatDuration } from './format.ts';
import type { Output } from './io.ts';
import { headline, ProgressRows, waitingLine, type StageRow } from './progress-rows.ts';

/** Numbers alone change no more often than this; a new stage or state is said at once. */
const NUMBERS_EVERY_MS = 3_000;
/** Whom it waits for is said when the wait begins, and then this often: it may last for hours. */
const WAITING_EVERY_MS = 60_000;

/** Progress for a log file: a plain line whenever something has changed. */
export class ProgressLines {
  private readonly rows = new ProgressRows();
  private readonly said = new Map<string, { words: string; numbers: string; at: number }>();

  constructor(private readonly out: Output) {}

  show(looks: LoadLook[]): void {
    for (const look of looks) {
      if (look.status !== 'waiting') this.showLoad(look);
    }
  }

  message(text: string): void {
    this.out.write(`${text}\n`);
  }

  stop(): void {
    // Nothing is drawn that would have to be taken away.
  }

  private showLoad(look: LoadLook): void {
    const head = headline(look);
    if (head !== look.load) this.say(look.load, head, '');
    const waiting = waitingLine(look);
    if (waiting === undefined) this.said.delete(`${look.load} waiting`);
    else this.say(`${look.load} waiting`, `${look.load} · `, waiting, WAITING_EVERY_MS);
    for (const row of this.rows.of(look)) {
      if (row.total === undefined) continue;
      const words = row.done === row.total ? 'done: ' : '';
      this.say(`${look.load} ${row.name}`, `${look.load} · ${row.name}: ${words}`, numbers(row));
    }
  }

  private say(key: string, words: string, numbers: string, everyMs = NUMBERS_EVERY_MS): void {
    const before = this.said.get(key);
    if (before?.words === words && (before.numbers === numbers || Date.now() - before.at < everyMs)) return;
    this.said.set(key, { words, numbers, at: Date.now() });
    this.out.write(`${words}${numbers}\n`);
  }
}

function numbers({ done, total, rows, rowsPerSecond, secondsLeft }: StageRow): string {
  const parts = [`${formatCount(done)} of ${formatCount(total)} chunks`, `${formatCount(rows)} rows`];
  if (rowsPerSecond !== undefined) parts.push(`${formatCount(rowsPerSecond)} rows/s`);
  if (secondsLeft !== undefined) parts.push(`${formatDuration(secondsLeft * 1000)} left`);
  return parts.join(', ');
}
