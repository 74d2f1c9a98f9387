import type { DemoDatabase } from '../flights/demo/database.ts';

const REASONS = ['Brakes', 'Tyres', 'Steering', 'Lights', 'Exhaust', 'Corrosion', 'Seat belts', 'Windscreen'];
const MAKERS = ['Austin', 'Bentley', 'Citroën', 'Daimler', 'Enfield', 'Ford', 'Gilbern', 'Hillman', 'Jensen', 'Lotus'];
const MODELS_A_MAKER = 12;
const TESTS_A_VEHICLE = 2;
/** Of 1,000 tests, so many were rejected. */
const REJECTED = 300;

/** A number below `below` that is the same for the same seed, table and row, on every server. */
const dice = (seed: number, what: string, id: string, below: number): string =>
  `crc32(concat('${seed}:${what}:', ${id})) % ${below}`;

/** Of `rejection j`. The second reason is given to others that day. */
const WITHDRAWN = (seed: number): string =>
  `j.reason_id <> 2 and ${dice(seed, 'less', `concat(j.test_id, ':', j.reason_id)`, 40)} = 0`;

/** Rows with a column `id` from 1 to `n`. */
const numbers = (n: number): string => {
  const digits =
    '(select 0 as d union all select 1 union all select 2 union all select 3 union all select 4 union all select 5 union all select 6 union all select 7 union all select 8 union all select 9)';
  const places = Array.from({ length: String(n).length }, (_, i) => i);
  const sum = places.map((i) => `d${i}.d * ${10 ** i}`).join(' + ');
  return `(select ${sum} + 1 as id from ${places.map((i) => `${digits} d${i}`).join(', ')} having id <= ${n}) numbers`;
};

/** Fills the empty source: as many vehicles as asked for, two tests each. */
export async function fillSource(
  source: DemoDatabase,
  { vehicles, seed }: { vehicles: number; seed: number },
): Promise<void> {
  const quoted = (name: string, i: number): string => `(${i + 1}, '${name}')`;
  await source.run(`
    insert into maker (id, name) values ${MAKERS.map(quoted).join(', ')};
    insert into reason (id, name) values ${REASONS.map(quoted).join(', ')};
    insert into model (id, maker_id, name)
      select id, (id - 1) % ${MAKERS.length} + 1, concat('Mark ', id) from ${numbers(MAKERS.length * MODELS_A_MAKER)};
    insert into vehicle (id, model_id, plate, first_used_on)
      select id, ${dice(seed, 'model', 'id', MAKERS.length * MODELS_A_MAKER)} + 1, concat('V', id),
        date '1990-01-01' + interval (${dice(seed, 'used', 'id', 10_000)}) day
      from ${numbers(vehicles)};`);
  await addTests(source, { from: 1, tests: vehicles * TESTS_A_VEHICLE, vehicles, seed });
}

/** Tests of some vehicles, three in ten of them rejected, for up to three reasons. */
async function addTests(
  source: DemoDatabase,
  { from, tests, vehicles, seed }: { from: number; tests: number; vehicles: number; seed: number },
): Promise<void> {
  const id = `(id + ${from - 1})`;
  await source.run(`
    insert into test (id, vehicle_id, tested_on, mileage, passed)
      select ${id}, ${dice(seed, 'vehicle', id, vehicles)} + 1,
        date '2020-01-01' + interval (${dice(seed, 'tested', id, 2_000)}) day,
        nullif(${dice(seed, 'mileage', id, 200_000)}, 0), ${dice(seed, 'passed', id, 1_000)} >= ${REJECTED}
      from ${numbers(tests)};
    insert ignore into rejection (test_id, reason_id)
      select t.id, ${dice(seed, 'reason', `concat(t.id, ':', n.id)`, REASONS.length)} + 1
      from test t join ${numbers(3).replace('numbers', 'n')} on n.id <= 1 + ${dice(seed, 'reasons', 't.id', 3)}
      where t.id >= ${from} and not t.passed;`);
}

/**
 * A day later: some vehicles have other plates, a maker and a reason other names, rejected tests were passed after all, or have a reason
 * less or more, new tests came.
 */
export async function changeSource(
  source: DemoDatabase,
  { vehicles, seed }: { vehicles: number; seed: number },
): Promise<void> {
  await source.run(`
    update maker set name = 'Lotus Cars' where name = 'Lotus';
    update reason set name = 'Brake pads' where name = 'Brakes';
    update test t join rejection j on j.test_id = t.id set t.last_updated_on = current_timestamp(6)
      where ${WITHDRAWN(seed)};
    delete j from rejection j where ${WITHDRAWN(seed)};
    insert ignore into rejection (test_id, reason_id) select id, 2 from test where not passed and ${dice(seed, 'more', 'id', 40)} = 0;
    update vehicle set plate = concat(plate, 'X') where ${dice(seed, 'plate', 'id', 50)} = 0;
    update test set passed = true where not passed and ${dice(seed, 'appeal', 'id', 20)} = 0;`);
  const from = vehicles * TESTS_A_VEHICLE + 1;
  await addTests(source, { from, tests: Math.ceil(vehicles / 10), vehicles, seed });
}
