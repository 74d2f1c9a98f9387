import { readFile } from 'node:fs/promises';

import { describe, expect, it } from 'vitest';

import { SCHEMA_OF_KIND } from '../../src/config/load-schema.ts';
import { NOT_YET_IN_LOADS, NOT_YET_IN_PROJECT } from '../../src/config/not-yet.ts';
import { connectionSchema, defaultsSchema, projectSchema, sessionSchema } from '../../src/config/project-schema.ts';

const text = await readFile(new URL('../../docs/configuration.md', import.meta.url), 'utf8');
const [available = '', notYet = ''] = text.split('## Not yet available');

describe('docs/configuration.md', () => {
  const schemas = [projectSchema, connectionSchema, defaultsSchema, sessionSchema, ...Object.values(SCHEMA_OF_KIND)];
  const keys = new Set(schemas.flatMap((schema) => Object.keys(schema.shape)));

  it.each([...keys])('describes `%s`', (key) => {
    expect(available).toMatch(new RegExp(`\`([\\w.]+\\.)?${key}[\`.]`));
  });

  it.each([...NOT_YET_IN_LOADS, ...NOT_YET_IN_PROJECT])('names %s as not yet available', (pattern) => {
    const [path = '', value] = pattern.split('=');
    const key = path.split('.').at(-1) ?? '';
    expect(notYet).toContain(value === undefined ? key : `${key}: ${value}`);
  });
});
