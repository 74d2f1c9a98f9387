/** What the demo says, and when: each line starts with the seconds since the start. */
const started = Date.now();

const live = process.stdout.isTTY;

export function say(message: string): void {
  const seconds = ((Date.now() - started) / 1000).toFixed(1).padStart(5);
  process.stdout.write(`${live ? '\r\x1b[K' : ''}${seconds} s  ${message}\n`);
}

/** A line that the next one replaces; nothing where standard output is no terminal. */
export function sayForNow(message: string): void {
  if (live) process.stdout.write(`\r\x1b[K         ${message}`);
}

export function number(n: number | bigint): string {
  return n.toLocaleString('en-US');
}

/** Columns as wide as they must be; numbers to the right. */
export function table(rows: Record<string, string | number>[]): string {
  const names = Object.keys(rows[0] ?? {});
  const text = rows.map((row) => names.map((name) => (typeof row[name] === 'number' ? number(row[name]) : row[name]!)));
  const widths = names.map((name, i) => Math.max(name.length, ...text.map((cells) => cells[i]!.length)));
  const line = (cells: string[], row: Record<string, string | number> | undefined): string =>
    cells
      .map((cell, i) => (typeof row?.[names[i]!] === 'number' ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd();
  return [line(names, undefined), ...text.map((cells, i) => line(cells, rows[i]))].join('\n');
}
