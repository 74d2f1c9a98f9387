/** What rows are read from: a table, by its canonical name, or one whole SELECT of a person. */
export type RowSource = string | { query: string };

/** What stands behind FROM. A query may end in a line comment. */
export const fromItem = (rows: RowSource, quoteTable: (table: string) => string): string =>
  typeof rows === 'string' ? quoteTable(rows) : `(${rows.query}\n) waybill_query`;

/** As messages say it. */
export const nameOfRows = (rows: RowSource): string => (typeof rows === 'string' ? rows : 'from.sql');
