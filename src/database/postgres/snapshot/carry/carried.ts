import type { ClientBase } from 'pg';

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
 * The question may use `t`: the table's row of pg_class, with `nspname` and its quoted name `target`; one that starts
 * with a comma goes on in the same WITH.
 */
export type CarryQuestion = string;

const withTable = (question: CarryQuestion) => `
with recursive t as (
  select c.*, n.nspname, format('%I.%I', n.nspname, c.relname) as target
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.oid = $1::oid
)
${question}`;

/** Asks all questions, in order; what comes back is to be run in the same order. */
export async function askAll(client: ClientBase, questions: readonly CarryQuestion[], oid: string): Promise<Carried[]> {
  const carried: Carried[] = [];
  for (const question of questions) {
    const { rows } = await client.query<{ statement: string; role?: string | null }>(withTable(question), [oid]);
    carried.push(...rows.map((row) => ({ statement: row.statement, role: row.role ?? null })));
  }
  return carried;
}
