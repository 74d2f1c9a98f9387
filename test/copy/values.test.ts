import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { ColumnFacts, Session } from '../../src/database/dialect.ts';
import { landingColumn, underDomain } from '../../src/copy/landing-columns.ts';
import { lostBetween, type ValueKind, type ValueShape } from '../../src/database/value-shape.ts';
import { hashOf } from '../seed.ts';
import { Ends, isMysql, somePairs, type AnyServer } from './ends.ts';
import { exactJson, exactNumber, exactTime } from './exact.ts';
import {
  DOMAINS,
  FROM_MYSQL,
  FROM_POSTGRES,
  LONG_COMPUTED_JSONS,
  MARIADB,
  MYSQL,
  NARROW,
  OWN_TYPES,
  POSTGRES,
  WITHOUT_TARGET,
  type Meant,
  type Sample,
  type SampleType,
} from './samples.ts';

const typesOf = (server: AnyServer): SampleType[] => {
  if (!isMysql(server)) return [...POSTGRES, ...NARROW];
  return server.flavour === 'MariaDB' ? [...MYSQL, ...MARIADB] : MYSQL;
};

const NUMBERS: ValueKind[] = ['whole number', 'decimal', 'float', 'year', 'boolean'];
const TIMES: ValueKind[] = ['date', 'time', 'timestamp', 'instant', 'interval'];

/** Every type of the source goes into a third of the target's, other ones with another seed; into all, where all are wanted. */
const PART = 3;
const seed = inject('seed');
const partOf = hashOf(import.meta.url)[8]!;

const ways = (await somePairs(import.meta.url)).filter(({ from, into }) => isMysql(from) || isMysql(into));

describe.each(ways)('values on their way from $source to $target', { timeout: 300_000 }, ({ from, into }) => {
  let ends: Ends;
  const columns = { source: [] as ColumnFacts[], target: [] as ColumnFacts[] };
  /** In transactions, for the next copy. */
  let sessions: [out: Session, back: Session];
  beforeAll(async () => {
    ends = await Ends.create(from, into);
    for (const [side, server] of [
      ['source', from],
      ['target', into],
    ] as const) {
      const types = typesOf(server);
      for (const text of isMysql(server) ? [] : [...OWN_TYPES, ...DOMAINS]) await ends.sql(side, text);
      const list = types.map(({ type }, i) => `c${i} ${type}`).join(', ');
      const options = isMysql(server) ? ' character set utf8mb4' : '';
      await ends.sql(side, `create table t (id int, ${list})${options}`);
      const facts = await ends[side].dialect.describeTable(ends[side], 't');
      columns[side] = facts!.columns.filter(({ name }) => name !== 'id');
    }
    await fill();
    sessions = [await ends.begin('source'), await ends.begin('target')];
  }, 120_000);
  afterAll(() => ends.close());

  /** The n-th row has the n-th sample of each type that has so many. */
  async function fill(): Promise<void> {
    const session = await ends.source.openSession('test fill');
    if (isMysql(from)) await session.query({ strings: [`set session sql_mode = ''`], values: [] }); // zero dates, too
    const types = typesOf(from);
    for (let n = 0; types.some(({ samples }) => samples[n]); n++) {
      const values = types.map(
        ({ samples }) => samples[n]?.sql.replaceAll('\\', isMysql(from) ? '\\\\' : '\\') ?? 'null',
      );
      await session.query({ strings: [`insert into t values (${n}, ${values.join(', ')})`], values: [] });
    }
    await session.close();
  }

  /** What the target made of one type's samples; undefined: it refused them. */
  async function arrived(
    source: ColumnFacts,
    target: ColumnFacts,
    n?: number,
  ): Promise<Map<number, string> | undefined> {
    const { dialect } = ends.target;
    const way = landingColumn(ends.source.dialect, dialect, source, target, undefined);
    const only = n === undefined ? '' : ` and id = ${n}`;
    const [out, back] = sessions;
    try {
      await ends.copy(out, back, {
        select: `select id, ${way.select} from t where ${source.name} is not null${only}`,
        columns: [{ name: 'id' }, way.into],
      });
      return await read(back, target, dialect.shapeOf(underDomain(target)));
    } catch {
      sessions[0] = await ends.again('source', out);
      return undefined;
    } finally {
      sessions[1] = await ends.again('target', back);
    }
  }

  async function read(
    session: Session,
    { name }: ColumnFacts,
    { kind, length, precision }: ValueShape,
  ): Promise<Map<number, string>> {
    const text = isMysql(into)
      ? kind === 'bytes' || kind === 'opaque'
        ? `lower(hex(${name}))`
        : kind === 'bits'
          ? `lpad(bin(${name}), ${length}, '0')`
          : `cast(${kind === 'float' && precision === 24 ? `cast(${name} as double)` : name} as char)`
      : kind === 'bytes'
        ? `encode(${name}, 'hex')`
        : kind === 'instant'
          ? `(${name} at time zone 'UTC')::text`
          : `${name}::text`;
    const { rows } = await session.query<{ id: number; v: string }>({
      strings: [`select id, ${text} as v from t`],
      values: [],
    });
    return new Map(rows.map(({ id, v }) => [Number(id), String(v)]));
  }

  function kept(sample: Sample, found: string | undefined, source: ValueShape, target: ValueShape): boolean {
    if (found === undefined) return false;
    const [a, b] = [exact(sample.value, source, target), exact(found, target, source)];
    return a === b;
  }

  /** What becomes of each sample of a type: kept, refused aloud, or what it was changed to. */
  async function fates(source: ColumnFacts, target: ColumnFacts): Promise<{ value: string; fate: string }[]> {
    const { samples } = typesOf(from)[Number(source.name.slice(1))]!;
    const [given, taken] = [ends.source.dialect.shapeOf(source), ends.target.dialect.shapeOf(underDomain(target))];
    const all = await arrived(source, target);
    const found: { value: string; fate: string }[] = [];
    for (const [n, sample] of samples.entries()) {
      const value = (all ?? (await arrived(source, target, n)))?.get(n);
      const fate = kept(sample, value, given, taken) ? 'kept' : `changed to ${value}`;
      found.push({ value: sample.value, fate: value === undefined && !all ? 'refused' : fate });
    }
    return found;
  }

  test('nothing is changed without a word', async () => {
    const wrong: string[] = [];
    let keeps = 0;
    for (const [i, source] of columns.source.entries()) {
      for (const [j, target] of columns.target.entries()) {
        if (!seed.all && (i + j + partOf) % PART !== 0) continue;
        if (lost(source, target) !== undefined) continue;
        for (const { value, fate } of await fates(source, target)) {
          if (fate === 'kept') keeps += 1;
          if (fate.startsWith('changed')) wrong.push(`${source.type} ${value} into ${target.type}: ${fate}`);
        }
      }
    }
    expect(wrong).toEqual([]);
    expect(keeps).toBeGreaterThan(columns.source.length); // not because everything was refused
  });

  test('what docs/types.md means for each type keeps its values, but those that are said there', async () => {
    for (const one of meant()) {
      const source = columnOf('source', one.from);
      const target = columnOf('target', one.into);
      const name = `${one.from} into ${one.into}`;
      expect(lost(source, target), name).toBeUndefined();
      const found = await fates(source, target);
      const expected = found.map(({ value }) => ({ value, fate: one.refused?.includes(value) ? 'refused' : 'kept' }));
      expect(found, name).toEqual(expected);
    }
  });

  test('what nothing keeps is refused before it begins, whatever the column', () => {
    const refused = typesOf(from).filter(
      ({ type }) => WITHOUT_TARGET.includes(type) && isMysql(from) !== isMysql(into),
    );
    const pairs = refused.flatMap(({ type }) => typesOf(into).map((one) => ({ from: type, into: one.type })));
    if (isMariaDb(from) && isMysql(into) && !isMariaDb(into)) pairs.push({ from: 'json', into: 'json' });
    expect(
      pairs.filter((pair) => lost(columnOf('source', pair.from), columnOf('target', pair.into)) === undefined),
    ).toEqual([]);
  });

  const lost = (source: ColumnFacts, target: ColumnFacts): string | undefined =>
    lostBetween(ends.source.dialect.shapeOf(source), ends.target.dialect.shapeOf(underDomain(target)));

  /** Throws for a type that the server's samples do not have. */
  function columnOf(side: 'source' | 'target', type: string): ColumnFacts {
    const at = typesOf(side === 'source' ? from : into).findIndex((one) => one.type === type);
    if (at < 0) throw new Error(`no samples of ${type}`);
    return columns[side][at]!;
  }

  function meant(): Meant[] {
    const known = (one: Meant): boolean => one.mariadb !== true || isMariaDb(from) || isMariaDb(into);
    if (!isMysql(into)) return FROM_MYSQL.filter(known);
    // A JSON of MariaDB is a text, and keeps every number.
    if (!isMysql(from))
      return FROM_POSTGRES.filter(known).map((one) =>
        isMariaDb(into) && one.into === 'json' ? { from: one.from, into: 'json' } : one,
      );
    // Types with themselves. MariaDB keeps dates of zeros; its JSON is no JSON to MySQL.
    const changed = (value: string): boolean => /^0000-00-00|-00-/.test(value) || LONG_COMPUTED_JSONS.includes(value);
    return typesOf(from)
      .filter(({ type }) => typesOf(into).some((one) => one.type === type))
      .filter(({ type }) => type !== 'json' || !isMariaDb(from) || isMariaDb(into))
      .map(({ type, samples }) => ({
        from: type,
        into: type,
        refused: isMariaDb(into) ? [] : samples.map(({ value }) => value).filter(changed),
      }));
  }
});

const isMariaDb = (server: AnyServer): boolean => isMysql(server) && server.flavour === 'MariaDB';

/** A value of `shape` in the form in which it can be compared with one of `other`. */
function exact(value: string, shape: ValueShape, other: ValueShape): string {
  const kinds = [shape.kind, other.kind];
  if (kinds.includes('json') && !kinds.includes('text')) return exactJson(value);
  if (kinds.includes('text')) {
    if (shape.kind === 'boolean') return value.slice(0, 1);
    if (shape.kind === 'text' && other.kind === 'boolean') return value.slice(0, 1);
    if (shape.kind === 'bytes') return `\\x${value}`;
    if (kinds.some((kind) => NUMBERS.includes(kind))) return exactFloat(value, shape, other);
    if (kinds.some((kind) => TIMES.includes(kind))) return exactTime(value.replace(/\+00(?=$| BC)/, ''));
    if (shape.kind === 'json' || other.kind === 'json') return exactJson(value);
    return shape.padded || other.padded ? value.trimEnd() : value;
  }
  if (shape.kind === 'boolean') return value === 't' || value === 'true' ? '1' : '0';
  if (shape.kind === 'bits' && NUMBERS.includes(other.kind)) return BigInt(`0b0${value}`).toString();
  if (shape.kind === 'uuid' || other.kind === 'uuid') return value.replaceAll('-', '');
  if (NUMBERS.includes(shape.kind)) return exactFloat(value, shape, other);
  if (TIMES.includes(shape.kind)) return exactTime(value);
  return value;
}

/** A float of 32 bits has one shortest text, and a longer one as a double. */
function exactFloat(value: string, shape: ValueShape, other: ValueShape): string {
  const single = [shape, other].some(({ kind, precision }) => kind === 'float' && precision === 24);
  const float = [shape, other].some(({ kind }) => kind === 'float');
  if (single) return String(Math.fround(Number(value)));
  return float ? String(Number(value)) : exactNumber(value);
}
