import type { LoadDefinition } from '../config/definition.ts';
import { whyNoPlace } from '../control/landing-place.ts';
import { describeSource } from '../control/source.ts';
import type { Database } from '../database/dialect.ts';
import type { Databases } from '../database/databases.ts';
import { ConfigurationError } from '../errors.ts';
import { fittingColumns, planLanding, type LandingNote } from './landing-rules.ts';

/** What a start does with a landing table, or leaves out, in words. */
export function landingWords({ what, reason }: LandingNote): string {
  return `${WORDS[what]} ${reason}`;
}

const WORDS: Record<LandingNote['what'], string> = {
  landing_created: 'a start makes the landing table',
  columns_added: 'a start adds columns:',
  columns_ignored: 'columns are left out:',
  columns_empty: 'columns are left empty:',
  files_left: 'files are left to a later start:',
  rows_left: 'left to the next start:',
};

/** What a start would do with the landing table of an acquisition now, or why it cannot: what does not fit it, in the words of the start. */
export async function previewLanding(
  load: LoadDefinition,
  target: Database,
  databases: Databases,
): Promise<{ notes: string[] } | { refused: string; next?: string }> {
  const { from } = load;
  const { table } = load.outputs[0]!;
  const landing = await target.dialect.describeTable(target, table);
  const nowhere = landing ? undefined : await whyNoPlace(target, load, table);
  if (nowhere) return { refused: nowhere.message, next: nowhere.next };
  if (!from) return { notes: [] }; // which columns files have is seen where they are
  const source = databases.get(from.connection);
  try {
    const facts = await describeSource(source, load, from);
    if (!landing && !load.landing!.create) return { notes: [] }; // that it is missing, whoever looks for it says
    const origin = { dialect: source.dialect, facts };
    const { statements, notes } = planLanding(origin, target.dialect, landing, load);
    fittingColumns(origin, target.dialect, landing, load, statements.length > 0);
    return { notes: notes.map(landingWords) };
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return { refused: error.message, ...(error.next !== undefined && { next: error.next }) };
  }
}
