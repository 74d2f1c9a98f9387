import { heldUpWords, type HeldUp } from '../workflows/messages.ts';

/** What a load waits for that others hold, and who they are; or what it tries again. */
export interface Waiting extends HeldUp {
  /** Of an attempt that failed, and is made again until it succeeds or the load's time is over: then `what` was tried. */
  failure?: string;
}

/** `waits for acq.flight, in use by connection 4711 (mary, psql, query 340 s)`; `tries the plan again, which failed: …`. */
export const waitingWords = ({ failure, ...heldUp }: Waiting): string =>
  failure !== undefined ? `tries ${heldUp.what} again, which failed: ${failure}` : heldUpWords(heldUp);
