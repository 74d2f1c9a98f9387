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
  function isAccepted(texts: string[], key: string[]): boolean {
    const statements = texts.map((text) => parseOne(text, tables.dialect));
    const groups = statements.flatMap((one) =>
      groupingConstructs(
        one,
        one.braces.find(({ all }) => !all),
      ),
    );
    return (
      readStage(statements, 'o', key).every(({ faults }) => faults.length === 0) &&
      (key.length > 0 || groups.length === 0)
    );
  }

  test('what is accepted gives the same rows once per chunk as once', { retry: 0, timeout: 600_000 }, async () => {
    const maker = tables.maker;
    const accepted = { 'by rows': 0, 'by key': 0 };
    const wrong: string[] = [];
    let tried = 0;
    for (let i = 0; i < STATEMENTS; i++) {
      if (i % SAME_ROWS === 0) await tables.fill(KEYS);
      const isWrite = i % 4 === 0;
      const texts = isWrite ? [maker.write(), ...(random() < 0.3 ? [maker.write()] : [])] : [maker.query()];
      const key = KEYS[Math.floor(random() * KEYS.length)]!;
      if (!texts.every((text) => text.includes('{{ o }}'))) continue;
      tried++;
      if (!isAccepted(isWrite ? texts : [`insert into r ${texts[0]!}`], key)) continue;
      const over = (cut: string): string[] => texts.map((text) => inside(text, cut));
      const whole = await tables.rowsOf(over('o'), isWrite);
      const parts =
        whole &&
        (await tables.rowsOf(
          tables.cuts(key).flatMap((cut) => over(cut)),
          isWrite,
        ));
      if (parts === undefined) continue;
      accepted[key.length === 0 ? 'by rows' : 'by key']++;
      if (whole!.join() !== parts.join()) {
        wrong.push(
          `key ${key.join(', ') || '-'}: ${whole!.length} rows, ${parts.length} in chunks: ${texts.join('; ')}`,
        );
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

const inside = (text: string, cut: string): string => text.replace('{{ o }}', cut).replaceAll('{{ o | all }}', 'o');
