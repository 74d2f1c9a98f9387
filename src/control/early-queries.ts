/** What is asked before a batch opens: bounds of a task's range, and whether an input is ready. */
import type { LoadDefinition, SqlSource } from '../config/definition.ts';
import type { Database, QueryResult, Session, UserStatement } from '../database/dialect.ts';
import { howToRead, withoutLedger } from '../database/hidden-text.ts';
import { reading } from '../database/transaction.ts';
import { ConfigurationError } from '../errors.ts';
import { renderForBatch, type BatchValues } from '../sql/batch-sql.ts';
import type { RenderedStatement } from '../sql/render.ts';
import { parseStatements } from '../sql/statement.ts';

/** A read-only transaction with the load's own settings: what is asked means what its SQL means. */
export const asking = <T>(
  database: Database,
  { name, sessionParams, maxRuntimeMs }: LoadDefinition,
  work: (session: Session) => Promise<T>,
): Promise<T> =>
  reading(database, `waybill read ${name}`, work, { settings: sessionParams, statementTimeoutMs: maxRuntimeMs });

/** `file:line:column` of a query. */
export const placeOf = ({ file, line, column }: SqlSource): string => `${file}:${line}:${column}`;

/**
 * The first two rows that a query gives: one is wanted, the other shows that there are more. `what` it is, in words, for the
 * `ConfigurationError` of one that cannot be run.
 */
export async function answerTo(
  session: Session,
  { dialect }: Database,
  query: SqlSource,
  values: BatchValues,
  what: string,
  as: (rendered: RenderedStatement) => UserStatement = (rendered) => rendered,
): Promise<QueryResult<unknown[]>> {
  const rendered = renderForBatch(parseStatements(query, dialect.sql)[0]!, values, dialect);
  try {
    return await session.run(as(rendered), { first: 2 });
  } catch (error) {
    const facts = dialect.classify(error);
    if (facts.kind !== 'permanent') throw error;
    const next = howToRead(facts.safeMessage);
    const message = `${what} failed: ${withoutLedger(facts.safeMessage)}`;
    throw new ConfigurationError(message, { where: placeOf(query), ...(next !== undefined && { next }), cause: error });
  }
}
