import type { LoadDefinition, SqlSource } from '../config/definition.ts';

/** What decides which rows a load writes, whether they are published, and what else its SQL does; by the words of its file. */
const PARTS: Record<string, (load: LoadDefinition) => unknown> = {
  connection: ({ connection }) => connection,
  inputs: ({ inputs }) => inputs,
  consumes: ({ consumes }) => consumes,
  reads: ({ reads }) => reads,
  outputs: ({ outputs }) => outputs,
  from: ({ from, files }) => [from, files],
  to: ({ landing }) => landing,
  range: ({ range }) => range,
  sql: ({ stages }) => stages.map((stage) => ({ ...stage, lanes: undefined })), // on how many connections decides nothing
  method: ({ output }) => output?.first,
  output: ({ output }) => output?.file ?? null,
  checks: ({ checks }) => checks,
  before: ({ before }) => before,
  after: ({ after }) => after,
  on_error: ({ onError }) => onError,
  // A fraction is a decimal however it is written: a definition of before `decimals` says the same.
  params: ({ params, decimals }) =>
    Object.entries(params).map(([name, value]) => [
      name,
      value,
      Number.isInteger(value) && decimals?.includes(name) === true,
    ]),
  session_params: ({ sessionParams }) => sessionParams,
  on_bad_row: ({ onBadRow }) => onBadRow,
  max_rejected: ({ maxRejected }) => maxRejected,
};

const isSqlSource = (value: unknown): value is SqlSource =>
  typeof value === 'object' && value !== null && 'text' in value && 'line' in value && typeof value.line === 'number';

/** A text of SQL is the same wherever it stands. No part is one itself: `params` may have these names, too. */
const essence = (part: unknown): string | undefined =>
  JSON.stringify(part, (key, value: unknown) =>
    key !== '' && isSqlSource(value) ? { ...value, file: undefined, line: undefined, column: undefined } : value,
  );

/** Parts of a load's file that say something else by now than when a batch of it opened; in the file's words. */
export const editedSince = (then: LoadDefinition, now: LoadDefinition): string[] =>
  Object.entries(PARTS).flatMap(([word, part]) => (essence(part(then)) === essence(part(now)) ? [] : [word]));
