import { targetPath } from './check-tables.ts';
import { problemIn } from './parsed-load.ts';
import type { ParsedLoad } from './parsed-load.ts';
import type { Problem } from './problem.ts';
import { tableId } from './project-loads.ts';
import type { ProjectLoads } from './project-loads.ts';
import { sqlDialectOf } from './sql-dialect.ts';
import type { ValuePath } from './yaml-file.ts';

/**
 * Two names that differ by capitals only. Where it is a server's setting whether those count, both may be one table: then two loads
 * would write to it, or read rows of it that are not published, and nobody would know.
 */
export function checkSpelling({ settings, loads }: ProjectLoads): Problem[] {
  const seen = new Map<string, { id: string; table: string; load: string }>();
  return loads.flatMap((load) => {
    const { connection, name } = load.definition;
    const dialect = sqlDialectOf(settings.connections, connection);
    return tablesOf(load).flatMap(({ table, at }) => {
      const id = tableId(settings, connection, table);
      const folded = `${connection} ${dialect.foldName(id)}`;
      const first = seen.get(folded);
      if (first === undefined) seen.set(folded, { id, table, load: name });
      if (first === undefined || first.id === id) return [];
      const where = first.load === name ? '' : ` in \`${first.load}\``;
      const message = `\`${table}\` is \`${first.table}\`${where}: whether capitals count in it is a setting of the ${dialect.title} server`;
      return [problemIn(load.yaml, at, message, 'Write the name in one way, as the server shows it.')];
    });
  });
}

/** Inputs that an acquisition fills are not among them: each must be the acquisition's to the letter. */
function tablesOf({ definition, yaml }: ParsedLoad): { table: string; at: ValuePath }[] {
  const { kind, inputs, reads, outputs } = definition;
  return [
    ...inputs.flatMap(({ table, external }, i) => (external ? [{ table, at: ['inputs', i] }] : [])),
    ...reads.map((table, i) => ({ table, at: ['reads', i] })),
    ...outputs.map(({ table }, i) => ({ table, at: kind === 'acquisition' ? targetPath(yaml) : ['outputs', i] })),
  ];
}
