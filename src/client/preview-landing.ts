import type { LoadDefinition } from '../config/definition.ts';
import { describeSource } from '../control/source.ts';
import type { Database } from '../database/dialect.ts';
import type { Databases } from '../database/databases.ts';
import { ConfigurationError } from '../errors.ts';
import { planLanding, type LandingNote } from './landing-rules.ts';

/** What a start does with a landing table, in words. */
export function landingWords({ what, reason }: LandingNote): string {
  return `${WORDS[what]} ${reason}`;
}

const WORDS: Record<LandingNote['what'], string> = {
  landing_created: 'a start makes the landing table',
  columns_added: 'a start adds columns:',
  columns_ignored: 'columns are left out:',
};

/** What a start would do with the landing table of an acquisition now, or why it cannot. */
export async function previewLanding(
  load: LoadDefinition,
  target: Database,
  databases: Databases,
): Promise<{ notes: string[] } | { refused: string; next?: string }> {
  const { from } = load;
  if (!from || (!load.landing!.create && load.landing!.onNewColumns === 'fail')) return { notes: [] };
  const source = databases.get(from.connection);
  try {
    const facts = await describeSource(source, load, from);
    const landing = await target.dialect.describeTable(target, load.outputs[0]!.table);
    const { notes } = planLanding({ dialect: source.dialect, facts }, target.dialect, landing, load);
    return { notes: notes.map(landingWords) };
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return { refused: error.message, ...(error.next !== undefined && { next: error.next }) };
  }
}
