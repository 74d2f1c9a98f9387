/** Numbers, times and tables as people read them. */

/** `1,234,567`; null and undefined are a dash. */
export function formatCount(value: number | null | undefined): string {
  return value === null || value === undefined ? '–' : Math.round(value).toLocaleString('en');
}

/** `1 row`, `2 rows`. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** `0.4 s`, `12 s`, `3 min 05 s`, `2 h 07 min`. */
export function formatDuration(ms: number): string {
  if (ms < 9_950) return `${(Math.max(0, ms) / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`;
  return `${Math.floor(seconds / 3600)} h ${String(Math.floor((seconds % 3600) / 60)).padStart(2, '0')} min`;
}

/** `2026-11-23 02:51:07 UTC`. */
export function formatTime(iso: string | Date | null): string {
  if (iso === null) return '–';
  const text = typeof iso === 'string' ? iso : iso.toISOString();
  return `${text.slice(0, 10)} ${text.slice(11, 19)} UTC`;
}

/** From one ISO time to another, or to now. */
export function formatBetween(from: string | null, to: string | null): string {
  if (from === null) return '–';
  return formatDuration((to === null ? Date.now() : Date.parse(to)) - Date.parse(from));
}

export interface Column {
  title: string;
  /** Numbers stand right. */
  right?: boolean;
}

/** Rows under their titles, columns two spaces apart; nothing drawn around them. */
export function formatTable(columns: Column[], rows: string[][]): string {
  return new GrowingTable(columns).add(rows);
}

/** A table whose rows come piece by piece, under titles that stand once; columns only ever become wider. */
export class GrowingTable {
  private readonly widths: number[];
  private titled = false;

  constructor(private readonly columns: Column[]) {
    this.widths = columns.map(({ title }) => title.length);
  }

  /** Their lines, without an end of line. */
  add(rows: string[][]): string {
    this.columns.forEach((_, i) => {
      for (const row of rows) this.widths[i] = Math.max(this.widths[i]!, (row[i] ?? '').length);
    });
    const lines = [...(this.titled ? [] : [this.columns.map(({ title }) => title)]), ...rows];
    this.titled = true;
    return lines.map((cells) => this.line(cells)).join('\n');
  }

  private line(cells: string[]): string {
    return cells
      .map((cell, i) =>
        this.columns[i]!.right === true ? cell.padStart(this.widths[i]!) : cell.padEnd(this.widths[i]!),
      )
      .join('  ')
      .trimEnd();
  }
}

/** Later lines as far in as the first. */
export function indent(text: string, by: number): string {
  return text.split('\n').join(`\n${' '.repeat(by)}`);
}
