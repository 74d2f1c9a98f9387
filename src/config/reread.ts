import type { LoadDefinition } from './definition.ts';

/** What a start of an acquisition is asked to read in place of what comes next (`run --since --until --full`). */
export interface Reread {
  /** First value of the window, whatever was read before. */
  since?: string;
  /** Where the window ends at the latest; exclusive. */
  until?: string;
  /** Everything, from `from.start` on; or all files. */
  full?: boolean;
}

/** As a person wrote it, for messages and events; '': nothing of it was asked. */
export function rereadWords({ since, until, full }: Reread): string {
  const words = [
    ...(since === undefined ? [] : [`--since ${since}`]),
    ...(until === undefined ? [] : [`--until ${until}`]),
    ...(full === true ? ['--full'] : []),
  ];
  return words.join(' ');
}

/** Why this load cannot be started so; undefined: it can. */
export function rereadProblem(load: LoadDefinition, asked: Reread): { message: string; next: string } | undefined {
  const words = rereadWords(asked);
  if (words === '') return undefined;
  if (load.files !== undefined) {
    if (words === '--full') return undefined;
    return {
      message: `${words} is for acquisitions with a cursor, and ${load.name} reads files`,
      next: 'only --full is',
    };
  }
  if (load.from === undefined) {
    return { message: `${words} is for acquisitions, and ${load.name} is none`, next: 'start it without' };
  }
  if (load.from.cursor === undefined) {
    return {
      message: `${words} is for acquisitions with a cursor, and ${load.name} has none`,
      next: 'start it without: it reads everything each time',
    };
  }
  if (asked.full === true && words !== '--full') {
    return { message: `${words}: --full reads everything, without bounds`, next: 'leave --full out, or the others' };
  }
  return undefined;
}
