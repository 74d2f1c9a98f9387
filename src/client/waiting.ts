/** What a load waits for that others hold, and who they are; or what it tries again. */
export interface Waiting {
  /** A table, or transactions on a source; of `failure`: what was tried. */
  what: string;
  /** Of an attempt that failed, and is made again until it succeeds or the load's time is over. */
  failure?: string;
  /** In words, with connection and age; without the ages these are the same from look to look. */
  heldBy: string[];
}

/** `waits for acq.flight, in use by connection 4711 (mary, psql, query 340 s)`; `tries the plan again, which failed: …`. */
export const waitingWords = ({ what, failure, heldBy }: Waiting): string =>
  failure !== undefined
    ? `tries ${what} again, which failed: ${failure}`
    : `waits for ${what}${heldBy.length === 0 ? '' : `, in use by ${heldBy.join(', ')}`}`;
