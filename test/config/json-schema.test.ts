import { readFile } from 'node:fs/promises';

import { expect, it } from 'vitest';

import { jsonSchemaFiles } from '../../src/config/json-schema.ts';

it.each(Object.entries(jsonSchemaFiles()))('schemas/%s is up to date', async (name, text) => {
  const file = new URL(`../../schemas/${name}`, import.meta.url);
  // To write it: npx tsx src/config/json-schema.ts
  expect(await readFile(file, 'utf8')).toBe(text);
});
