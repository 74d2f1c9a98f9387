/** How a CSV file is written. */
export interface CsvFormat {
  /** One ASCII character each. */
  delimiter: string;
  quote: string;
  /** An unquoted value that is this text is NULL. */
  nullText: string;
}

/** Says what is wrong with a text as a column's value; undefined: nothing. */
export type ValueCheck = (text: string) => string | undefined;

/** A file that cannot be read as CSV, and on which line. No values stand in its message. */
export class CsvError extends Error {
  override readonly name = 'CsvError';
  constructor(
    readonly line: number,
    message: string,
    /** What to do, where it is more than to mend the file. */
    readonly next?: string,
  ) {
    super(message);
  }
}

/** A row that cannot be handed on. */
export interface BadCsvRow {
  /** On which it begins. */
  line: number;
  message: string;
  values: (string | null)[];
}

/** What is wanted of a file, and how its rows are handed on. */
export interface CsvShape {
  /** Names that the first row must have, which is no row of values then; undefined: it is one. */
  header?: readonly string[];
  /** Which values of a row go on; undefined: all. */
  keep?: readonly boolean[];
  /** What is asked of each value of a row that goes on and is not NULL. */
  checks?: readonly (ValueCheck | undefined)[];
  /** Takes each row with a wrong value, or with too many or too few, and the file goes on behind it; undefined: the first ends it. */
  bad?: (row: BadCsvRow) => void;
  /** Rows after which nothing more is read. */
  most?: number;
  /** What ends each row, behind its last value. */
  end: string;
  /** Bytes of a row at the most, as it is handed on; 64 MB. */
  longest?: number;
}

/** What would be taken for the end of a value or a row, as COPY writes it. */
export const escaped = (text: string): string =>
  text.replace(/[\\\t\n\r]/g, (c) => ({ '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' })[c]!);

export const unescaped = (text: string): string =>
  text.replace(/\\([\\tnr])/g, (_, c: string) => ({ '\\': '\\', t: '\t', n: '\n', r: '\r' })[c]!);

/** The values of a row of COPY's text, without what ends it. */
export const valuesIn = (row: string): (string | null)[] =>
  row.split('\t').map((value) => (value === '\\N' ? null : unescaped(value)));
