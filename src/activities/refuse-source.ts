import type { LoadDefinition } from '../config/definition.ts';
import { describeSource, whyNotOfOneMoment } from '../control/source.ts';
import type { Databases } from '../database/databases.ts';
import { refused } from './failures.ts';

/** Before anything is made for its rows: what an acquisition reads must be what its file promises of it. */
export async function refuseSource(databases: Databases, load: LoadDefinition): Promise<void> {
  const { from, file } = load;
  if (!from?.consistent) return;
  const source = databases.get(from.connection);
  await describeSource(source, load, from); // that it is missing is said in better words than the server's
  const why = await whyNotOfOneMoment(source, load, from);
  if (why) throw refused(why.message, { where: file, next: why.next });
}
