/** What a load waits for that others hold, and who they are. */
export interface Waiting {
  /** A table, or transactions on a source. */
  what: string;
  /** In words, with connection and age; without the ages these are the same from look to look. */
  heldBy: string[];
}

/** `waits for acq.flight, in use by connection 4711 (mary, psql, query 340 s)`. */
export const waitingWords = ({ what, heldBy }: Waiting): string =>
  `waits for ${what}${heldBy.length === 0 ? '' : `, in use by ${heldBy.join(', ')}`}`;
