import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { z } from 'zod';

import { DURATION_PATTERN } from './duration.ts';
import { loadSchema } from './load-schema.ts';
import { projectSchema } from './project-schema.ts';

/** The JSON Schema files of the package, as they must stand in `schemas/`: file name to text. */
export function jsonSchemaFiles(): Record<string, string> {
  return {
    'waybill.schema.json': jsonSchemaText(projectSchema, 'waybill.yaml'),
    'load.schema.json': jsonSchemaText(loadSchema, 'A load of Waybill'),
  };
}

function jsonSchemaText(schema: z.ZodType, title: string): string {
  return `${JSON.stringify({ title, ...jsonSchemaOf(schema) }, null, 2)}\n`;
}

/**
 * The JSON Schema (draft 2020-12) of a file. It says what an editor can check: keys, types, bounds, patterns. A text from
 * the environment may stand for a number, true/false or a duration, so those admit `${NAME}` too.
 */
export function jsonSchemaOf(schema: z.ZodType): Record<string, unknown> {
  return z.toJSONSchema(schema, {
    io: 'input',
    override: ({ jsonSchema }) => {
      const { type, pattern } = jsonSchema;
      const isDuration = pattern === DURATION_PATTERN.source;
      if (type !== 'integer' && type !== 'number' && type !== 'boolean' && !isDuration) return;
      const { description, ...plain } = { ...jsonSchema };
      for (const key of Object.keys(plain)) delete (jsonSchema as Record<string, unknown>)[key];
      jsonSchema.anyOf = [plain, { type: 'string', pattern: '^\\$\\{[^}]+\\}$' }];
      if (description !== undefined) jsonSchema.description = description;
    },
  });
}

/** Run by itself (`npx tsx src/config/json-schema.ts`), this file writes `schemas/` anew. */
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [name, text] of Object.entries(jsonSchemaFiles())) {
    writeFileSync(new URL(`../../schemas/${name}`, import.meta.url), text);
  }
}
