import type { LoadDefinition } from '../config/definition.ts';
import type { Reread } from '../config/reread.ts';
import { recordLoadEvent } from '../control/events.ts';
import { lockLanding, wantedBy, type UnfinishedBatch } from '../control/landing.ts';
import { describeSource } from '../control/source.ts';
import { fittingColumns } from '../copy/landing-columns.ts';
import { planLanding, type LandingOrigin, type LandingPlan } from '../copy/plan-landing.ts';
import type { Database, Session } from '../database/dialect.ts';
import type { Engine } from './engine.ts';
import { refused } from './failures.ts';
import { newFileColumns } from './find-file-work.ts';
import type { Work } from './find-work.ts';
import { isDead } from './workflow-liveness.ts';

/** A core load takes its snapshot first: until then the table stays as the twin that it makes. */
class WantedFirst extends Error {
  constructor(readonly batch: UnfinishedBatch) {
    super(`batch ${batch.batchId} wants the table first`);
  }
}

/**
 * Makes the landing table (`to.create`), or gives it the columns that its source has got since (`to.on_new_columns: add`), each
 * with an event in the same transaction where DDL can be rolled back. Again is harmless, and so are two at once: they take turns
 * by the landing table's lock, and whoever comes second finds nothing to do.
 */
export async function prepareLanding(
  engine: Engine,
  database: Database,
  load: LoadDefinition,
  { requestedBy, reread = {} }: { requestedBy?: string | undefined; reread?: Reread | undefined },
): Promise<Extract<Work, { kind: 'wait' }> | undefined> {
  const { landing } = load;
  if (!landing || (!landing.create && landing.onNewColumns !== 'add')) return undefined;
  const origin = await originOf(engine, database, load, reread);
  // No new file, or none with a header: there is nothing to make a table of, and findFileWork says why there is nothing to do.
  if (load.files && origin.facts.columns.length === 0) return undefined;
  const { dialect } = database;
  const table = load.outputs[0]!.table;
  const look = async (reader: Database | Session): Promise<LandingPlan> => {
    const landing = await dialect.describeTable(reader, table);
    const plan = planLanding(origin, dialect, landing, load);
    // No table is altered for a source that does not fit it all the same.
    if (load.from && plan.statements.length > 0) {
      const { dialect: from } = engine.databases.get(load.from.connection);
      fittingColumns({ dialect: from, facts: origin.facts }, dialect, landing, load, true);
    }
    return plan;
  };
  if ((await look(database)).statements.length === 0) return undefined;

  let plan: LandingPlan;
  const session = await database.openSession(`waybill landing ${load.name}`);
  try {
    await dialect.aloneWith(session, [table], () =>
      dialect.changeTable(
        session,
        async () => {
          await lockLanding(session, database, [table]);
          const wanting = await wantedBy(session, database, table);
          if (wanting) throw new WantedFirst(wanting);
          plan = await look(session);
          return plan.statements;
        },
        async () => {
          for (const { what, reason } of plan.notes) {
            await recordLoadEvent(session, database, load.name, what, { requestedBy, reason });
          }
        },
      ),
    );
    return undefined;
  } catch (error) {
    await session.rollback();
    if (error instanceof WantedFirst) return waitFor(engine, database, load, error.batch);
    throw error;
  } finally {
    await session.close();
  }
}

async function originOf(
  engine: Engine,
  database: Database,
  load: LoadDefinition,
  reread: Reread,
): Promise<LandingOrigin> {
  if (load.files) return newFileColumns(engine, database, load, load.files, reread);
  const source = engine.databases.get(load.from!.connection);
  return { dialect: source.dialect, facts: await describeSource(source, load, load.from!) };
}

/** One that died half-way cannot be waited for: its next start comes after the acquisitions. */
async function waitFor(
  engine: Engine,
  { connection }: Database,
  { file, outputs }: LoadDefinition,
  { batchId, load, ...batch }: UnfinishedBatch,
): Promise<Extract<Work, { kind: 'wait' }>> {
  if (!(await isDead(engine.client, { batchId, load, ...batch })))
    return { kind: 'wait', batch: { connection, batchId }, load };
  throw refused(
    `${outputs[0]!.table} cannot be altered: batch ${batchId} of ${load}, which broke off, may have its snapshot half-way`,
    { where: file, next: `let it be finished first: waybill run ${load}` },
  );
}
