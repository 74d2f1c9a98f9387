import { MultiBar, type SingleBar } from 'cli-progress';
import type { LoadLook } from '../client/follow-run.ts';
import { formatCount, formatDuration } from './format.ts';
import type { Output } from './io.ts';
import { headline, ProgressRows, waitingLine, type StageRow } from './progress-rows.ts';

const BAR_WIDTH = 24;
/** Lines that the terminal keeps for other things: the prompt, a message. */
const SPARE_LINES = 3;

/** Progress for a terminal: a line a load, and a bar a stage of those that run, redrawn in place. */
export class ProgressBars {
  private readonly rows = new ProgressRows();
  private readonly lines: SingleBar[] = [];
  private readonly bars: MultiBar;

  constructor(private readonly out: Output) {
    this.bars = new MultiBar({
      stream: out,
      // A bar of the library is a line here: what stands in it is made below, so that all columns are in line.
      format: (_options, _params, payload: { text?: string }) => payload.text ?? '',
      hideCursor: true,
      clearOnComplete: false,
      forceRedraw: true,
      gracefulExit: false, // Ctrl-C is ours
      fps: 8,
    });
  }

  show(looks: LoadLook[]): void {
    const all = looks.flatMap((look) => this.linesOf(look, looks.length === 1));
    const most = Math.max(4, (this.out.rows ?? 24) - SPARE_LINES);
    this.draw(all.length <= most ? all : [...all.slice(0, most - 1), `… and ${all.length - most + 1} more lines`]);
  }

  /** A line that stays, above the bars. */
  message(text: string): void {
    this.bars.log(`${text}\n`);
  }

  stop(): void {
    this.bars.update();
    this.bars.stop();
  }

  private linesOf(look: LoadLook, alone: boolean): string[] {
    const stages = look.status === 'running' || alone ? this.rows.of(look) : [];
    const width = Math.max(0, ...stages.map(({ name }) => name.length));
    const waiting = waitingLine(look);
    return [
      headline(look),
      ...(waiting === undefined ? [] : [`  ${waiting}`]),
      ...stages.map((row) => stageLine(row, width)),
    ];
  }

  private draw(texts: string[]): void {
    texts.forEach((text, i) => {
      const line = (this.lines[i] ??= this.bars.create(1, 0, { text }));
      line.update(0, { text });
    });
    for (const line of this.lines.splice(texts.length)) this.bars.remove(line);
  }
}

function stageLine(row: StageRow, nameWidth: number): string {
  const share = row.total === undefined ? 0 : row.total === 0 ? 1 : row.done / row.total;
  const filled = Math.floor(share * BAR_WIDTH);
  const bar = '█'.repeat(filled) + '░'.repeat(BAR_WIDTH - filled);
  const chunks = `${formatCount(row.done)}/${row.total === undefined ? '?' : formatCount(row.total)}`;
  const speed = row.rowsPerSecond === undefined ? '' : `${formatCount(row.rowsPerSecond)} rows/s`;
  const left = row.secondsLeft === undefined ? '' : `${formatDuration(row.secondsLeft * 1000)} left`;
  return [
    `  ${row.name.padEnd(nameWidth)}`,
    bar,
    `${chunks.padStart(9)} chunks`,
    `${formatCount(row.rows).padStart(11)} rows`,
    speed.padStart(16),
    left,
  ]
    .join('  ')
    .trimEnd();
}
