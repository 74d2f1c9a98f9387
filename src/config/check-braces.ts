import { nearest } from '../sql/names.ts';
import type { Statement } from '../sql/statement.ts';
import { problemAt } from './parsed-load.ts';
import type { ParsedLoad } from './parsed-load.ts';
import type { Problem } from './problem.ts';
import { consumedTables } from './project-loads.ts';
import type { ProjectLoads } from './project-loads.ts';

/** Every `{{ table }}` names something that is this load's business, where it is to be had. */
export function checkBraces(load: ParsedLoad, project: ProjectLoads): Problem[] {
  const { definition } = load;
  const inputs = new Set(definition.inputs.map(({ table }) => table));
  const known = knownTables(load, project);
  const consumesUnread = definition.consumes.some((name) => !project.byName.has(name));

  const check = (statements: Statement[], where: 'stages' | 'checks' | 'before' | 'after' | 'on_error'): Problem[] =>
    statements.flatMap((statement) =>
      statement.braces.flatMap((brace) => {
        const place = { file: statement.file, line: brace.line, column: brace.column };
        if (!known.has(brace.table)) {
          return consumesUnread
            ? []
            : [problemAt(place, unknownBrace(brace.table, known), adviceFor(brace.table, load, project))];
        }
        if (brace.all && !inputs.has(brace.table)) {
          const message = `\`| all\` means the uncut snapshot of an input, and \`${brace.table}\` is no input`;
          return [problemAt(place, message, `Write \`{{ ${brace.table} }}\`.`)];
        }
        if (!inputs.has(brace.table) || where === 'stages' || where === 'checks') return [];
        const why = where === 'before' ? 'runs ahead of the snapshot' : 'runs when the snapshot is gone';
        return [problemAt(place, `\`${where}\` ${why}: \`{{ ${brace.table} }}\` cannot be read in it`)];
      }),
    );

  return [
    ...check(load.before, 'before'),
    ...check(
      load.stages.flatMap(({ statements }) => statements),
      'stages',
    ),
    ...check(load.checks, 'checks'),
    ...check(load.after, 'after'),
    ...check(load.onError, 'on_error'),
  ];
}

/** The tables that may stand in this load's braces. */
function knownTables({ definition }: ParsedLoad, project: ProjectLoads): Set<string> {
  return new Set([
    ...definition.inputs.map(({ table }) => table),
    ...definition.reads,
    ...consumedTables(definition, project).keys(),
    ...definition.outputs.map(({ table }) => table),
  ]);
}

/** Whether a stage misnames a table: "nothing reads this input" would then only be an echo. */
export function hasUnknownBrace(load: ParsedLoad, project: ProjectLoads): boolean {
  const known = knownTables(load, project);
  return load.stages.some(({ statements }) => statements.some((s) => s.braces.some(({ table }) => !known.has(table))));
}

function unknownBrace(table: string, known: Set<string>): string {
  const close = nearest(table, known);
  const message = `\`{{ ${table} }}\` is no input, read, consumed or own table of this load`;
  return close === undefined ? message : `${message}: did you mean \`{{ ${close} }}\`?`;
}

/** Which key would make the table this load's business. */
function adviceFor(table: string, load: ParsedLoad, project: ProjectLoads): string | undefined {
  const { definition } = load;
  const producer = project.producerOf(definition.connection, table)?.definition;
  if (definition.kind === 'task') return `Put \`${table}\` into \`reads\`, or write it without braces.`;
  if (producer?.kind === 'acquisition')
    return `Put \`${table}\` into \`inputs\`, or \`${producer.name}\` into \`consumes\`.`;
  if (producer !== undefined) return `Put \`${table}\` into \`reads\`, or \`${producer.name}\` into \`consumes\`.`;
  if (nearest(table, knownTables(load, project)) !== undefined) return undefined;
  return `Put \`${table}\` into \`reads\` to look rows up in it.`;
}
