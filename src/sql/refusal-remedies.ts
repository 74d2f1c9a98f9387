/** What to do instead of a statement that more than one dialect refuses: `Refusal.next`. */
export const ONE_TRANSACTION =
  'Leave it out: the engine opens, fences and commits the transaction together with its ledger.';
/** For a statement that writes a file of the server's. */
export const TASK_OUTPUT = 'Let a task write the file, from the rows of its query: method: query and output: FILE.';
export const OWN_CONNECTION = 'Run it outside of Waybill, on a connection of its own.';
