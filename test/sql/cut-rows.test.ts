import { describe, afterAll, beforeAll, expect, inject, test } from 'vitest';
import { groupingConstructs } from '../../src/sql/lint.ts';
import { readStage } from '../../src/sql/cut/stage.ts';
import { bytesOf, hashOf } from '../seed.ts';
import { everyServer } from '../every-server.ts';
import { randomOf } from './cut-statements.ts';
import { openCutTables, type CutTables } from './cut-tables.ts';
import { parseOne } from './parse.ts';

const KEYS: string[][] = [[], ['k'], ['k', 'v'], ['id']];
const { all } = inject('seed');
const STATEMENTS = all ? 10_000 : 900;
/** After as many statements the tables have other rows. */
const SAME_ROWS = 200;

describe.each(everyServer)('on $name', (server) => {
  // Others with each run of everything. Else the same ones: what a new one finds has nothing to do with the change that is tested.
  const random = randomOf((all ? hashOf(import.meta.url + server.name) : bytesOf(server.name)).readInt32LE());
  let tables: CutTables;

  beforeAll(async () => {
    tables = await openCutTables(server, random);
  });
  afterAll(() => tables.close());

  /** `validate` has nothing to say of it. */
  function isAccepted(text: string, key: string[]): boolean {
    const statement = parseOne(text, tables.dialect);
    const cut = statement.braces.find(({ all }) => !all);
    const [{ faults } = { faults: [] }] = readStage([statement], 'o', key);
    return faults.length === 0 && (key.length > 0 || groupingConstructs(statement, cut).length === 0);
  }

  test('what is accepted gives the same rows once per chunk as once', { retry: 0, timeout: 600_000 }, async () => {
    const maker = tables.maker;
    const accepted = { 'by rows': 0, 'by key': 0 };
    const wrong: string[] = [];
    let tried = 0;
    for (let i = 0; i < STATEMENTS; i++) {
      if (i % SAME_ROWS === 0) await tables.fill(KEYS);
      const isWrite = i % 4 === 0;
      const text = isWrite ? maker.write() : maker.query();
      const key = KEYS[Math.floor(random() * KEYS.length)]!;
      if (!text.includes('{{ o }}')) continue;
      tried++;
      if (!isAccepted(isWrite ? text : `insert into r ${text}`, key)) continue;
      const whole = await tables.rowsOf([over(text, 'o')], isWrite);
      const parts =
        whole &&
        (await tables.rowsOf(
          tables.cuts(key).map((cut) => over(text, cut)),
          isWrite,
        ));
      if (parts === undefined) continue;
      accepted[key.length === 0 ? 'by rows' : 'by key']++;
      if (whole!.join() !== parts.join()) {
        wrong.push(`key ${key.join(', ') || '-'}: ${whole!.length} rows, ${parts.length} in chunks: ${text}`);
      }
    }
    console.log(
      `Of ${tried} statements over a cut, those accepted: ${JSON.stringify(accepted)}; ${wrong.length} of them wrong.`,
    );
    expect(wrong.slice(0, 5)).toEqual([]);
    // As many as are right: a rule that refuses whatever it does not know would pass, too.
    expect(accepted['by rows'] / tried).toBeGreaterThan(0.015);
    expect(accepted['by key'] / tried).toBeGreaterThan(0.1);
  });
});

const over = (text: string, cut: string): string => text.replace('{{ o }}', cut).replaceAll('{{ o | all }}', 'o');
