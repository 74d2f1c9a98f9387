import type { Place } from '../../config/problem.ts';

/** What a person must know of an import: nothing is changed, left out or taken over dangerous without a word. */
export interface Note extends Place {
  /** `changed`: means the same, or better, in another form; `ignored`: has no counterpart; `dangerous`: works, but look at it. */
  kind: 'changed' | 'ignored' | 'dangerous';
  message: string;
}

/** A text of the imported file and where it stands there. */
export interface Fragment {
  text: string;
  at: Place;
}

/** Takes notes about the places of one file. */
export type TakeNote = (kind: Note['kind'], at: Place, message: string) => void;
