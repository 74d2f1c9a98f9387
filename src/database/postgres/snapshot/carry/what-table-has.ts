import type { ClientBase } from 'pg';
import { COLUMNS, COLUMN_SETTINGS } from './columns.ts';
import { askAll, type Carried } from './carried.ts';
import { COMMENTS } from './comments.ts';
import { CHECKS_AND_KEYS, FOREIGN_KEYS, NOT_NULL_CONSTRAINTS } from './constraints.ts';
import { COLUMN_GRANTS, grantsOn } from './grants.ts';
import { INDEXES } from './indexes.ts';
import { PUBLICATIONS } from './publications.ts';
import { IDENTITY_COLUMNS, IDENTITY_DEFAULTS, IDENTITY_SEQUENCES, SERIAL_OWNERSHIP } from './sequences.ts';
import { EXTENDED_STATISTICS } from './statistics.ts';
import { TRIGGERS_AND_RULES } from './triggers.ts';
import { VIEWS } from './views.ts';

/** Statements that make the twin of a table, in three parts between which the swap has something to do. */
interface WhatTableHas {
  /** The table, its columns and all that belongs to it. */
  structure: Carried[];
  /** Grants, to be run once the privileges that creation gave are gone. */
  grants: Carried[];
  /** What others have that looks at the table: views, publications. And comments. */
  surroundings: Carried[];
}

/** Reads all of it from the catalog, while the table still has its name. `identitySequences`: their OIDs. */
export async function whatTableHas(
  client: ClientBase,
  oid: string,
  identitySequences: readonly string[],
): Promise<WhatTableHas> {
  const structure = await askAll(
    client,
    [
      ...COLUMNS,
      NOT_NULL_CONSTRAINTS,
      IDENTITY_COLUMNS,
      IDENTITY_SEQUENCES,
      IDENTITY_DEFAULTS,
      SERIAL_OWNERSHIP,
      ...COLUMN_SETTINGS,
      CHECKS_AND_KEYS,
      ...INDEXES,
      ...EXTENDED_STATISTICS,
      FOREIGN_KEYS,
      ...TRIGGERS_AND_RULES,
    ],
    oid,
  );
  const grants = await askAll(client, [grantsOn('table'), COLUMN_GRANTS], oid);
  for (const sequence of identitySequences) grants.push(...(await askAll(client, [grantsOn('sequence')], sequence)));
  const surroundings = await askAll(client, [...VIEWS, PUBLICATIONS, ...COMMENTS], oid);
  return { structure, grants, surroundings };
}
