import type { ClientBase } from 'pg';
import { lasting } from '../../prepared-statements.ts';

/** A statement that gives the new table something that the old one has. */
export interface Carried {
  statement: string;
  /** The role that runs it, where that is not the connecting one. */
  role: string | null;
}

/**
 * A question to the catalog about one kind of thing that a table has. `$1` is the table's OID. Each row is a whole
 * `statement` (and perhaps a `role`), built with quoted, qualified names, for a table that has the *same name*: so it is
 * asked before the rename and run after it.
 *
 * The question may use `t`: the table's row of pg_class, with `nspname` and its quoted name `target`.
 */
export type CarryQuestion = string;

/** The questions as one statement: while it runs, others wait for the table. */
const asked = (questions: readonly CarryQuestion[]) => `
with t as (
  select c.*, n.nspname, format('%I.%I', n.nspname, c.relname) as target
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.oid = $1::oid
), answer as (
${questions.map((question, i) => `select ${i} as question, row_number() over () as line, to_jsonb(q) as carried from (${question}) q`).join('\nunion all\n')}
)
select carried ->> 'statement' as statement, carried ->> 'role' as role from answer order by question, line`;

/** Asks all questions; what comes back is to be run in this order. */
export async function askAll(client: ClientBase, questions: readonly CarryQuestion[], oid: string): Promise<Carried[]> {
  const { rows } = await client.query<Carried>(lasting('carried', asked(questions), [oid]));
  return rows;
}
