import type { DemoDatabase } from '../flights/demo/database.ts';

/** What the copy must hold, as one plain statement for each table says it. */
const EXPECTED: Record<string, string> = {
  maker: 'select id, name from mot.maker',
  model: 'select m.id, k.name as maker, m.name from mot.model m join mot.maker k on k.id = m.maker_id',
  test: `
    select t.id, t.vehicle_id, t.tested_on, t.mileage, t.passed,
      (select group_concat(r.name order by r.id separator '; ')
       from mot.rejection j join mot.reason r on r.id = j.reason_id where j.test_id = t.id) as reasons
    from mot.test t`,
  vehicle: `
    select v.id, k.name as maker, m.name as model, v.plate, v.first_used_on
    from mot.vehicle v join mot.model m on m.id = v.model_id join mot.maker k on k.id = m.maker_id`,
};

/** A column of each table, and a value that no row of the source has. */
const MARKS: Record<string, { column: string; mark: string }> = {
  maker: { column: 'name', mark: `'as it was'` },
  model: { column: 'name', mark: `'as it was'` },
  test: { column: 'mileage', mark: '-1' },
  vehicle: { column: 'plate', mark: `'as it was'` },
};

/** Whether a row `f` of a table is as its row `e` of what is expected. */
async function sameRow(copy: DemoDatabase, table: string): Promise<string> {
  const columns = await copy.ask<{ name: string }>(
    `select column_name as name from information_schema.columns
     where table_schema = database() and table_name = '${table}' order by ordinal_position`,
  );
  return columns.map(({ name }) => `e.${name} <=> f.${name}`).join(' and ');
}

async function countMarks(copy: DemoDatabase): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const [table, { column, mark }] of Object.entries(MARKS)) {
    const [row] = await copy.ask<{ n: string }>(`select count(*) as n from ${table} where ${column} = ${mark}`);
    counts[table] = Number(row!.n);
  }
  return counts;
}

/**
 * Marks each row of the copy that is as it should be, before a load: one that looks only at what changed leaves the marks.
 * How many, by table.
 */
export async function markUnchanged(copy: DemoDatabase): Promise<Record<string, number>> {
  for (const [table, { column, mark }] of Object.entries(MARKS)) {
    await copy.run(`update ${table} f join (${EXPECTED[table]}) e on e.id = f.id
      set f.${column} = ${mark} where ${await sameRow(copy, table)}`);
  }
  return countMarks(copy);
}

/** Puts back what the marks stand for. How many of them a load has written over, by table: none, if it took only what changed. */
export async function unmark(
  copy: DemoDatabase,
  marked: Record<string, number>,
): Promise<{ table: string; left: number; lost: number }[]> {
  const left = await countMarks(copy);
  for (const [table, { column, mark }] of Object.entries(MARKS)) {
    await copy.run(`update ${table} f join (${EXPECTED[table]}) e on e.id = f.id
      set f.${column} = e.${column} where f.${column} = ${mark}`);
  }
  return Object.keys(MARKS).map((table) => ({ table, left: left[table]!, lost: marked[table]! - left[table]! }));
}

/** Rows of each table that are not as expected, or missing, or too many: none, if all is well. */
export async function prove(copy: DemoDatabase): Promise<{ table: string; rows: number; wrong: number }[]> {
  const proofs = [];
  for (const [table, expected] of Object.entries(EXPECTED)) {
    const same = await sameRow(copy, table);
    const [row] = await copy.ask<{ found: string; expected: string; matching: string }>(`
      select (select count(*) from ${table}) as found, (select count(*) from (${expected}) e) as expected,
        (select count(*) from (${expected}) e join ${table} f on e.id = f.id where ${same}) as matching`);
    const [found, all, matching] = [row!.found, row!.expected, row!.matching].map(Number) as [number, number, number];
    proofs.push({ table, rows: found, wrong: Math.max(found, all) - matching });
  }
  return proofs;
}
