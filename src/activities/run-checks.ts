import type { CheckDefinition } from '../config/definition.ts';
import { matches } from '../config/expectation.ts';
import { statementTimeoutMs } from '../control/batch.ts';
import { changeState, FencedError, inGate } from '../control/gate.ts';
import { countChunks } from '../control/chunks.ts';
import { sql } from '../database/sql.ts';
import { renderForBatch } from '../sql/batch-sql.ts';
import { parseStatements } from '../sql/statement.ts';
import type { BatchReference } from '../workflows/messages.ts';
import { overLimitAtLast } from './bad-rows.ts';
import { loadContext, type BatchContext } from './batch-context.ts';
import type { Engine } from './engine.ts';
import { permanent, toFailure } from './failures.ts';
import { FAILURE } from '../workflows/messages.ts';

export interface ChecksOutcome {
  passed: number;
  /** Names and findings of failed checks of severity `warn`. */
  warnings: string[];
  /** The same of severity `error`: the batch must not be published. */
  errors: string[];
}

/** `running → checking`, then every check, read-only; results stand in `check_result`. */
export const runChecks =
  (engine: Engine) =>
  async (at: BatchReference): Promise<ChecksOutcome> => {
    const database = engine.databases.get(at.connection);
    const { words } = database.dialect;
    try {
      const context = await loadContext(engine, at);
      await proveStagesDone(context);
      const state = await changeState(database, at.batchId, 'checking');
      if (state !== 'checking') throw new FencedError(at.batchId, state, ['running', 'checking']);
      const outcome: ChecksOutcome = { passed: 0, warnings: [], errors: [] };
      const tooMany = await overLimitAtLast(context);
      if (tooMany !== undefined) outcome.errors.push(tooMany);
      for (const [i, check] of context.batch.definition.checks.entries()) {
        const actual = await runCheck(context, check);
        const passed = matches(actual, check.expect);
        const shown = shorten(actual);
        await inGate(database, at.batchId, ['checking'], (session) =>
          session.query(sql`
            insert into ${database.ledger('check_result')}
              (batch_id, n, name, severity, expected, actual, passed, checked_at)
            values (${at.batchId}, ${i + 1}, ${check.name}, ${check.severity}, ${check.expect.text}, ${shown}, ${passed},
              ${words.now})
            ${words.onDuplicate(['batch_id', 'n'], ['actual', 'passed', 'checked_at'])}`),
        );
        if (passed) outcome.passed += 1;
        else {
          const found = `"${check.name}" found ${shown ?? 'nothing'}, expected ${check.expect.text}`;
          (check.severity === 'warn' ? outcome.warnings : outcome.errors).push(found);
        }
      }
      return outcome;
    } catch (error) {
      throw toFailure(error, database, `batch ${at.batchId}, checks`);
    }
  };

/** Characters of what a check found that are kept and said: people read them, and not every ledger holds a text of any length. */
const MOST_SHOWN = 1_000;

const shorten = (found: string | null): string | null =>
  found === null || found.length <= MOST_SHOWN
    ? found
    : `${found.slice(0, MOST_SHOWN).replace(/[\uD800-\uDBFF]$/, '')}… (${found.length} characters)`;

async function proveStagesDone({ database, batch }: BatchContext): Promise<void> {
  const { rows } = await database.query<{ n: number; name: string }>(
    sql`select n, name from ${database.ledger('stage')} where batch_id = ${batch.batchId} order by n`,
  );
  for (const { n, name } of rows) {
    const counts = await countChunks(database, database, { batchId: batch.batchId, stage: n });
    if (counts.planned !== counts.done) {
      throw permanent(FAILURE.loadFailed, `stage ${name} has ${counts.done} of ${counts.planned ?? '?'} chunks done`, {
        where: `load ${batch.loadName}, batch ${batch.batchId}`,
      });
    }
  }
}

/** First column of the first row, as text. */
async function runCheck({ database, batch, values }: BatchContext, check: CheckDefinition): Promise<string | null> {
  const session = await database.openSession(`waybill ${batch.batchId} check ${check.name}`, {
    statementTimeoutMs: statementTimeoutMs(batch),
  });
  const where = `load ${batch.loadName}, batch ${batch.batchId}, check "${check.name}"`;
  try {
    await session.begin({ readOnly: true, settings: batch.definition.sessionParams });
    let first: string | number | boolean | null | undefined;
    for (const statement of parseStatements(check.sql, database.dialect.sql)) {
      const { rows } = await session.run(renderForBatch(statement, values, database.dialect), { first: 1 });
      first = rows[0]?.[0] as typeof first;
    }
    return first === null || first === undefined ? null : String(first);
  } catch (error) {
    throw toFailure(error, database, where);
  } finally {
    await session.rollback();
    await session.close();
  }
}
