import { readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

import { jsonSchemaFiles } from '../../src/config/json-schema.ts';
import { keys } from './broken/keys.ts';
import { values } from './broken/values.ts';
import { FLIGHTS } from './flights-project.ts';
import { BASE_PROJECT, type BrokenProject, type ProjectFiles, type WrittenFiles } from './project-folder.ts';

const schemas = jsonSchemaFiles();

it.each(Object.entries(schemas))('schemas/%s is up to date', async (name, text) => {
  const file = new URL(`../../schemas/${name}`, import.meta.url);
  // To write it: npx tsx src/config/json-schema.ts
  expect(await readFile(file, 'utf8')).toBe(text);
});

const ajv = new Ajv2020({ strict: false });
const compiled = (name: string) => ajv.compile(JSON.parse(schemas[name]!) as object);
const projectSchema = compiled('waybill.schema.json');
const loadSchema = compiled('load.schema.json');

/** What an editor would mark in the YAML files of a project. */
function marks(files: WrittenFiles): string[] {
  return Object.entries(files).flatMap(([file, text]) => {
    const schema = file === 'waybill.yaml' ? projectSchema : /^loads\/.*\.ya?ml$/.test(file) ? loadSchema : undefined;
    if (schema === undefined || typeof text !== 'string' || schema(parse(text))) return [];
    return [`${file}: ${ajv.errorsText(schema.errors)}`];
  });
}

function filesIn(folder: string): ProjectFiles {
  const root = fileURLToPath(new URL(`../../${folder}`, import.meta.url));
  const files = [
    'waybill.yaml',
    ...readdirSync(path.join(root, 'loads'), { recursive: true }).map((f) => `loads/${String(f)}`),
  ];
  return Object.fromEntries(
    files.filter((file) => /\.ya?ml$/.test(file)).map((file) => [file, readFileSync(path.join(root, file), 'utf8')]),
  );
}

describe('the JSON Schemas', () => {
  it.each([
    ['the flights project of the design', FLIGHTS],
    ['a small project', BASE_PROJECT],
    ['examples/flights', filesIn('examples/flights')],
    ['examples/mot', filesIn('examples/mot')],
    ['what `waybill init` writes', filesIn('templates/project')],
  ])('take what the loader takes: %s', (_, files) => {
    expect(Object.keys(files).length).toBeGreaterThan(2);
    expect(marks(files)).toEqual([]);
  });

  /** What only the loader sees: it compares with other places, or reads the text. */
  const seenByLoader = new Set([
    'no connections',
    'a core load that takes nothing',
    'a duration of nothing',
    'a duration that no timer keeps',
    'a table with three parts',
    'a table that is none',
    'an output that is no name of a table, beside an insert without :batch_id',
    'a refused server setting',
    'a lag without a cursor',
    'a start without a cursor',
    'lanes in a stage that is not cut',
    'stages of one name',
    'checks of one name',
    'one input twice',
    'half a client certificate',
    'a PEM file that is not there',
    'a limit of rejected rows where none is rejected',
    'a quarantine with nothing to halve',
  ]);

  it.each([...keys, ...values] satisfies BrokenProject[])(
    'mark what is wrong in a file: $title',
    ({ title, files }) => {
      expect(marks(files).length > 0, marks(files).join()).toBe(!seenByLoader.has(title));
    },
  );
});
