import { changeOf, orderOf } from '../control/planned-with.ts';
import type { ColumnFacts, Dialect, Session } from '../database/dialect.ts';
import { WaybillError } from '../errors.ts';
import type { BatchContext } from './batch-context.ts';
import { factsOf } from './chunk-errors.ts';
import type { ChunkWork } from './chunk-transaction.ts';

/**
 * The same work of a copy, whose batch was planned for these columns of the landing table: what it writes is right, and goes with what
 * earlier lanes have written, only while the table has those. They are looked at once the rows are in, which keeps everybody from altering the table until the transaction ends.
 */
export function provingTarget(context: BatchContext, columns: readonly ColumnFacts[], work: ChunkWork): ChunkWork {
  const { database, batch } = context;
  const table = batch.definition.outputs[0]!.table;

  return {
    ...work,
    run: async (session, chunk) => {
      try {
        const { proof, ...outcome } = await work.run(session, chunk);
        const look = async (session: Session): Promise<void> => {
          await proof?.look?.(session);
          const changed = await changeOfTarget(session);
          if (changed) throw changed;
        };
        return { ...outcome, proof: { holds: [], explain: unexplained, ...proof, look } };
      } catch (error) {
        // What a server says of values in a form that the column took before is no error of a row.
        if (factsOf(error, context).kind !== 'permanent') throw error;
        throw (await changeOfTarget(session).catch(() => undefined)) ?? error;
      }
    },
  };

  async function changeOfTarget(session: Session): Promise<WaybillError | undefined> {
    const now = (await database.dialect.columnsRead(database, session, table)) ?? [];
    const change = changeOf(columns, now, NO_KEY) ?? orderOf(columns, now) ?? fillingOf(columns, now, database.dialect);
    if (change === undefined) return undefined;
    return new WaybillError(`${table} has changed since this batch began to fill it: ${change}`, {
      next: 'start the load again: all of the batch is then brought into the table as it is',
    });
  }
}

const NO_KEY: ReadonlySet<string> = new Set();

const unexplained = (): Promise<undefined> => Promise.resolve(undefined);

/** A column of the same type into which a NULL is written in another way. */
function fillingOf(
  was: readonly ColumnFacts[],
  now: readonly ColumnFacts[],
  dialect: Pick<Dialect, 'copyInColumn'>,
): string | undefined {
  const written = (column: ColumnFacts): string | undefined => dialect.copyInColumn(column).value?.('');
  const other = was.find((column) => written(column) !== written(now.find(({ name }) => name === column.name)!));
  return other && `${other.name}, ${other.type}, has another NOT NULL or DEFAULT`;
}
