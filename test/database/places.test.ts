import { expect, test } from 'vitest';
import { Places } from '../../src/database/places.ts';

test('places are given in turn, first to those who go before all others; who gives up waiting gets none', async () => {
  const places = new Places(1);
  await places.take();
  const given: string[] = [];
  const take = (who: string, how: Parameters<Places['take']>[0] = {}): Promise<unknown> =>
    places.take(how).then(
      () => given.push(who),
      (error: unknown) => given.push(`${who} left: ${String(error)}`),
    );
  const [leaves, stays] = [new AbortController(), new AbortController()];
  const all = [
    take('a', { signal: leaves.signal }),
    take('b', { signal: stays.signal }),
    take('c'),
    take('d', { first: true }),
    take('e', { first: true }),
  ];
  leaves.abort('cancelled');
  await all[0];
  for (let i = 1; i < all.length; i += 1) {
    places.give();
    await Promise.race(all.slice(1));
  }
  await Promise.all(all);
  expect(given).toEqual(['a left: cancelled', 'd', 'e', 'b', 'c']);
  stays.abort(); // it has its place
  await take('f', { signal: leaves.signal });
  expect(given.at(-1)).toBe('f left: cancelled');
  places.give();
  expect(places.takeFree()).toBe(true);
  expect(places.takeFree()).toBe(false);
});
