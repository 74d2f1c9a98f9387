import type { Range } from './code.ts';
import { chosenBy, subqueries } from './conditions.ts';
import { readFrom } from './from.ts';
import { growing } from './growing.ts';
import { settle } from './query.ts';
import type { Reading } from './reading.ts';
import { returned, UNCUT, type Flow, type Names, type Relation } from './relation.ts';
import { targetOf } from './target.ts';

export function readMerge(reading: Reading, range: Range, names: Names): Relation {
  const { code } = reading;
  const using = code.find(range, (i) => code.is(i, 'using'));
  if (using === undefined) return UNCUT;
  const end = code.find({ from: using + 1, to: range.to }, (i) => code.is(i, 'when')) ?? range.to;
  const on = [...code.level({ from: using + 1, to: end })].filter((i) => code.is(i, 'on')).at(-1) ?? end;
  const target = targetOf(code, range.from, 'into');
  const source = readFrom(reading, { from: using + 1, to: on }, names);
  const { flow: settled, scope } = settle(reading, source, undefined, on);
  const values = subqueries(reading, { from: on, to: range.to }, names, 'value', scope);
  const flow = chosenBy(reading, settled, [...source.uses, ...values], scope);
  const bySource = (i: number): boolean => code.is(i, 'not') && code.is(i + 1, 'matched') && code.is(i + 3, 'source');
  const unmatched = code.find({ from: end, to: range.to }, bySource);
  if (unmatched !== undefined && flow !== 'none' && flow !== 'wrong') {
    reading.fault(unmatched, { what: 'unmatched', said: 'when not matched by source', doubtful: false });
    return returned('wrong');
  }
  if (flow === 'none' || flow === 'repeated')
    checkMerged(reading, { from: end, to: range.to }, { flow, at: range.from, target });
  return returned(flow);
}

/** Rows that several chunks merge: what the first inserted, the next finds there, unless it is compared by NULLs. */
function checkMerged(
  reading: Reading,
  actions: Range,
  { flow, at, target }: { flow: Flow; at: number; target: number },
): void {
  const { code } = reading;
  const token = code.tokens[target]!;
  const alias = code.name(
    code.is(target + code.chain(target).length * 2 - 1, 'as')
      ? target + code.chain(target).length * 2
      : target + code.chain(target).length * 2 - 1,
  );
  const isOwn = (name: string | undefined): boolean =>
    name === undefined || name === alias || name === code.chain(target).at(-1);
  const sets = [...code.level(actions)].filter((i) => code.is(i, 'update') && code.is(i + 1, 'set'));
  for (const set of sets) {
    const to = code.find({ from: set, to: actions.to }, (i) => code.is(i, 'when', 'returning')) ?? actions.to;
    const growth = growing(code, { from: set + 2, to }, isOwn);
    if (growth === undefined) continue;
    reading.fault(at, { what: 'again', said: growth.column, doubtful: flow !== 'none', target: token });
    return;
  }
  if (code.find(actions, (i) => code.is(i, 'insert')) === undefined) return;
  if (flow === 'none') return reading.fault(at, { what: 'unreached', said: 'merge', doubtful: true, target: token });
  const { at: where, ...why } = reading.repeats ?? { at, what: 'repeated', said: '' };
  reading.fault(where, { ...why, doubtful: true });
}
