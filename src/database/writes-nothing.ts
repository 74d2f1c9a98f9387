/** What to do about SQL that writes in a transaction that only reads, as of checks: on all servers these count as writing. */
export const WRITES_NOTHING =
  'only reading is allowed here: what writes (also nextval, for update, a function that logs) belongs into a stage or a step';
