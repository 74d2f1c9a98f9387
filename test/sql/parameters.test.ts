import { expect, test } from 'vitest';
import { checkParameters } from '../../src/sql/parameters.ts';
import { dialects, parseOne } from './parse.ts';

const KNOWN = ['batch_id', 'load_at', 'from', 'to', 'params.region'];

test.each(dialects)('known parameters pass in the SQL of $title', (dialect) => {
  expect(() => checkParameters(parseOne('select :batch_id, :params.region, :from', dialect), KNOWN)).not.toThrow();
});

const unknown: [string, string][] = [
  [':btach_id', 'Did you mean :batch_id?'],
  [':BATCH_ID', 'Did you mean :batch_id?'],
  [':region', 'Did you mean :params.region?'],
  [':param.region', 'Did you mean :params.region?'],
  [':params.region.x', 'Did you mean :params.region?'],
  [':nothing_like_it', 'Known here: :batch_id :load_at :from :to :params.region.'],
];
test.each(unknown)('%s is refused with the nearest name', (parameter, next) => {
  const statement = parseOne(`select :from,\n  ${parameter}`);
  expect(() => checkParameters(statement, KNOWN)).toThrow(
    expect.objectContaining({ message: `unknown parameter ${parameter}`, where: 'load.sql:2:3', next }),
  );
});

test('it says so when no parameter is known', () => {
  expect(() => checkParameters(parseOne('select :a'), [])).toThrow(
    expect.objectContaining({ next: 'Known here: none.' }),
  );
});
