import { z } from 'zod';

import { chunkRows, duration, identifier, lanes, maxAttempts, plainName, text, wholeNumber } from './schema-values.ts';

const tls = z
  .union(
    [
      z.boolean(),
      z.strictObject({
        ca: text.optional().describe('PEM file of the authority, relative to the project folder'),
        cert: text.optional().describe('PEM file of the client certificate'),
        key: text.optional().describe('PEM file of the client key'),
      }),
    ],
    { error: 'must be true, false, or a mapping of PEM files: ca, cert, key' },
  )
  .describe("true: verify the server's certificate; or PEM files");

export const connectionSchema = z
  .strictObject({
    url: z.string().describe('postgres://, mysql:// or mariadb:// URL; ${NAME} takes it from the environment'),
    max_connections: wholeNumber
      .min(3)
      .max(1000)
      .optional()
      .describe('Most connections of one worker, over all loads (8)'),
    tls: tls.optional(),
    control_schema: identifier.optional().describe('Schema of the control tables (waybill)'),
  })
  .describe('A database');

export const defaultsSchema = z
  .strictObject({
    lanes: lanes.optional().describe('Chunks that run at once (4)'),
    chunk_rows: chunkRows.optional().describe('Rows a chunk, about (50000)'),
    max_runtime: duration.optional().describe('Longest time of a batch (2h)'),
    max_attempts: maxAttempts.optional().describe('Attempts at a chunk before the batch fails (5)'),
  })
  .describe('For loads that do not say otherwise');

export const sessionSchema = z
  .strictObject({
    loads: z.array(text.describe('A load, or a pattern with *')).min(1),
    sequential: z
      .boolean()
      .optional()
      .describe('One load after the other, as listed; the first that fails ends the session'),
    window: z
      .literal('shared', { error: 'must be `shared`, or left out' })
      .optional()
      .describe('All loads see one :last_load_at and :load_at, moved only when the session succeeds'),
  })
  .describe('Several loads, run in the order that their tables and `needs` give');

/** `waybill.yaml`. */
export const projectSchema = z
  .strictObject({
    name: text.describe('One control schema belongs to one project'),
    connections: z.record(plainName, connectionSchema),
    defaults: defaultsSchema.optional(),
    sessions: z.record(plainName, sessionSchema).optional(),
    task_queue: text.optional().describe('Temporal task queue of the workers (waybill)'),
  })
  .describe('waybill.yaml: the project');
