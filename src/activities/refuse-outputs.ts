import { notNumbered } from '../config/check-numbering.ts';
import { howToFit, whyNoBatchId } from '../config/table-requirements.ts';
import type { LoadDefinition } from '../config/definition.ts';
import { whyNoPlace } from '../control/landing-place.ts';
import { looseKeys } from '../control/loose-keys.ts';
import { otherWriter } from '../control/rename.ts';
import { whyNeverTakenBack } from '../control/take-back.ts';
import { unsafeWrites } from '../control/unsafe-writes.ts';
import type { Database, TableFacts } from '../database/dialect.ts';
import { refused } from './failures.ts';

/** What a load may write: rows that a crash of the server would take away again are no published rows. */
const LASTING = ['table', 'partitioned table'];

/**
 * Looks at the tables that a batch would write, before it opens. `loads`: all of the project. `takesOver`: whether a load that
 * has never run may go on with what another one wrote.
 */
export async function refuseOutputs(
  database: Database,
  load: LoadDefinition,
  { takesOver, loads }: { takesOver: boolean; loads: LoadDefinition[] },
): Promise<void> {
  for (const { table } of load.outputs) {
    const facts = await database.dialect.describeTable(database, table);
    if (!facts) {
      const why = await whyNoPlace(database, load, table);
      if (why) throw refused(why.message, { where: load.file, next: why.next });
      continue; // that it is missing is said when it is written
    }
    if (LASTING.includes(facts.kind)) {
      refuseBatchId(database, load, facts);
      await refuseKeptRows(database, load, table);
      refuseUnnumbered(database, load, facts);
      continue;
    }
    throw refused(
      `${table} is no ordinary, permanent table (${facts.kind}): its rows would not be safe with their batch`,
      {
        where: load.file,
        next: howToFit(table, facts.unfit ?? {}),
      },
    );
  }
  await refuseUnsafeWrites(database, load);
  await refuseLooseKeys(database, load);
  if (!takesOver) await refuseForeignOutput(database, load, loads);
}

/** A number that is too large for it would fail every batch from there on, and one that is rounded is another batch's. */
function refuseBatchId({ dialect }: Database, load: LoadDefinition, facts: TableFacts): void {
  const why = whyNoBatchId(facts, facts.table, dialect.sql);
  if (why !== undefined) {
    throw refused(why.message.replaceAll('`', ''), {
      where: load.file,
      next: why.make ?? `make batch_id of ${facts.table} a plain bigint`,
    });
  }
}

/** What it writes must be able to go again. */
async function refuseKeptRows(database: Database, load: LoadDefinition, table: string): Promise<void> {
  const why = await whyNeverTakenBack(database, table);
  if (why) throw refused(why.message, { where: load.file, next: why.next });
}

/** Of a task, too, which names no outputs: a chunk that is rolled back is done again, and its rows would be there twice. */
async function refuseUnsafeWrites(database: Database, load: LoadDefinition): Promise<void> {
  const [first] = await unsafeWrites(database, load, 'stages');
  if (!first) return;
  const { message, next, file, line, column } = first;
  throw refused(message.replaceAll('`', ''), {
    where: `${file}:${line}:${column}`,
    next: next.replaceAll('`', ''),
  });
}

/** Rows that belong together would be written once for each chunk that has some of them. */
async function refuseLooseKeys(database: Database, load: LoadDefinition): Promise<void> {
  const first = (await looseKeys(database, load)).find(({ severity }) => severity === 'error');
  if (!first) return;
  const { message, next, file, line, column } = first;
  throw refused(message.replaceAll('`', ''), {
    where: `${file}:${line}:${column}`,
    ...(next !== undefined && { next: next.replaceAll('`', '') }),
  });
}

/** What is not there yet is made with its number, or refused as missing. */
function refuseUnnumbered({ dialect }: Database, { kind, file }: LoadDefinition, landing: TableFacts): void {
  const why = kind === 'acquisition' ? notNumbered(landing, landing.table, dialect.sql) : undefined;
  if (why) throw refused(why.message.replaceAll('`', ''), { where: file, next: why.next });
}

/**
 * Renamed without a word, a load would read and consume everything again. Another load of the project that has the table, too, is
 * no earlier name of this one: the project's check knows that they take turns.
 */
async function refuseForeignOutput(database: Database, load: LoadDefinition, loads: LoadDefinition[]): Promise<void> {
  const tables = load.outputs.map(({ table }) => table);
  const sharing = loads.filter(({ outputs }) => outputs.some(({ table }) => tables.includes(table)));
  const other = await otherWriter(database, [load.name, ...sharing.map(({ name }) => name)], tables);
  if (!other) return;
  throw refused(
    `${other.table} was written by ${other.load} so far (batch ${other.batchId}), and ${load.name} is new`,
    {
      where: load.file,
      next:
        `if it is the same load under another name, write renamed_from: ${other.load}; ` +
        `if it takes the table over and begins anew, say so once: waybill run ${load.name} --force`,
    },
  );
}
