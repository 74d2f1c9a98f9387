import { readFile } from 'node:fs/promises';

import { describe, expect, it } from 'vitest';

import { SCHEMA_OF_KIND } from '../../src/config/load-schema.ts';
import { NOT_YET_IN_LOADS, NOT_YET_IN_PROJECT } from '../../src/config/not-yet.ts';
import { connectionSchema, defaultsSchema, projectSchema, sessionSchema } from '../../src/config/project-schema.ts';
import * as messages from '../../src/workflows/message-definitions.ts';

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

describe('docs/cli.md', async () => {
  const ofCli = await readFile(new URL('../../docs/cli.md', import.meta.url), 'utf8');
  const [, section = ''] = ofCli.split("\n### Without `waybill`: Temporal's own client or CLI\n");
  const [ofTemporal = ''] = section.split('\n### ');

  it.each([...new Set(Object.values(messages).map(({ name }) => name))])('says what workflows do with `%s`', (name) => {
    expect(ofTemporal).toContain(`\`${name}\``);
  });
});
