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

/** Rows of each table that are not as expected, or missing, or too many: none, if all is well. */
export async function prove(copy: DemoDatabase): Promise<{ table: string; rows: number; wrong: number }[]> {
  const proofs = [];
  for (const [table, expected] of Object.entries(EXPECTED)) {
    const columns = await copy.ask<{ name: string }>(
      `select column_name as name from information_schema.columns
       where table_schema = database() and table_name = '${table}' order by ordinal_position`,
    );
    const same = columns.map(({ name }) => `e.${name} <=> f.${name}`).join(' and ');
    const [row] = await copy.ask<{ found: string; expected: string; matching: string }>(`
      select (select count(*) from ${table}) as found, (select count(*) from (${expected}) e) as expected,
        (select count(*) from (${expected}) e join ${table} f on e.id = f.id where ${same}) as matching`);
    const [found, all, matching] = [row!.found, row!.expected, row!.matching].map(Number) as [number, number, number];
    proofs.push({ table, rows: found, wrong: Math.max(found, all) - matching });
  }
  return proofs;
}
