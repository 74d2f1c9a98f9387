import type { BeginOptions } from '../dialect.ts';

/**
 * How a transaction begins that holds a table against everybody else, from one statement of ours to the next: a worker that freezes
 * in between (or a machine that is cut off) has the server end it after so long, and those who wait go on; the activity is
 * tried again. Long enough for a slow network, and for a process that clears up its memory.
 */
export const OTHERS_WAIT: BeginOptions = { settings: { idle_in_transaction_session_timeout: '5s' } };
