import { mentionsTable } from '../sql/lint.ts';
import type { Statement } from '../sql/statement.ts';
import { hasUnknownBrace } from './check-braces.ts';
import { problemAt, problemIn } from './parsed-load.ts';
import type { ParsedLoad } from './parsed-load.ts';
import type { Problem } from './problem.ts';
import { consumedTables } from './project-loads.ts';
import type { ProjectLoads } from './project-loads.ts';

/** Rows that a load takes are read, and read through braces: a bare table name would see other rows than the batch's. */
export function checkInputsUsed(load: ParsedLoad, project: ProjectLoads): Problem[] {
  const statements = [...load.stages.flatMap((stage) => stage.statements), ...load.checks];
  return [
    ...load.definition.inputs.flatMap(({ table }) => bareInputs(statements, table)),
    ...unreadInputs(load, project),
    ...unreadConsumed(load, project),
    ...bareConsumed(load, statements, project),
  ];
}

function bareInputs(statements: Statement[], table: string): Problem[] {
  return statements.flatMap((statement) =>
    mentionsTable(statement, table)
      .filter(({ asInsertTarget }) => !asInsertTarget)
      .map(({ line, column }) =>
        problemAt(
          { file: statement.file, line, column },
          `the input \`${table}\` stands here without braces: that is the live table, not this batch's snapshot`,
          `Write \`{{ ${table} }}\`.`,
        ),
      ),
  );
}

function unreadInputs(load: ParsedLoad, project: ProjectLoads): Problem[] {
  const { definition, yaml, stages, incomplete } = load;
  if (incomplete || hasUnknownBrace(load, project)) return [];
  const read = new Set(
    stages.flatMap(({ statements }) => statements.flatMap(({ braces }) => braces.map((b) => b.table))),
  );
  return definition.inputs.flatMap(({ table }, index) => {
    // A stage that is cut by the table and does not read it is reported by `checkChunks`.
    if (read.has(table) || stages.some(({ chunk }) => chunk?.input === table)) return [];
    const message = `no stage reads the input \`${table}\`: its rows would be lost`;
    return [problemIn(yaml, ['inputs', index], message, `Use \`{{ ${table} }}\` in a stage, or leave the input out.`)];
  });
}

function unreadConsumed(load: ParsedLoad, project: ProjectLoads): Problem[] {
  const { definition, yaml, stages, incomplete } = load;
  if (incomplete || hasUnknownBrace(load, project)) return [];
  const read = new Set(
    stages.flatMap(({ statements }) => statements.flatMap(({ braces }) => braces.map((b) => b.table))),
  );
  return definition.consumes.flatMap((name, index) => {
    const producer = project.byName.get(name)?.definition;
    if (producer === undefined || producer.outputs.some(({ table }) => read.has(table))) return [];
    const message = `no stage reads a table of the consumed load \`${name}\`: its batches would count as done`;
    const next = `Use \`{{ ${producer.outputs[0]?.table ?? ''} }}\` in a stage, or \`needs\` if only the order matters.`;
    return [{ ...problemIn(yaml, ['consumes', index], message, next), severity: 'warn' as const }];
  });
}

/** All rows of a consumed or read table may be what is meant, so this only warns; definitions of views are left alone. */
function bareConsumed({ definition }: ParsedLoad, statements: Statement[], project: ProjectLoads): Problem[] {
  const tables = new Set([...consumedTables(definition, project).keys(), ...definition.reads]);
  return statements
    .filter(({ verb }) => ['select', 'with', 'insert', 'replace', 'update', 'delete', 'merge'].includes(verb))
    .flatMap((statement) =>
      [...tables].flatMap((table) =>
        mentionsTable(statement, table)
          .filter(({ asInsertTarget }) => !asInsertTarget)
          .map(({ line, column }) =>
            problemAt(
              { file: statement.file, line, column },
              `\`${table}\` stands here without braces: that is every row, unpublished ones too`,
              `Write \`{{ ${table} }}\` for the rows that are this batch's business.`,
              'warn',
            ),
          ),
      ),
    );
}
