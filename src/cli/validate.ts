import { formatProblem, type Problem } from '../config/problem.ts';
import type { Validation } from '../client/validate-project.ts';
import { EXIT } from '../errors.ts';
import { plural } from './format.ts';
import type { AddCommand } from './cli.ts';

export const addValidate: AddCommand = (program, cli, done) => {
  program
    .command('validate')
    .description('check the files, then tables, columns and SQL against the databases; nothing is changed')
    .option('--files-only', 'ask no database; variables of connection URLs need not be set')
    .action(async ({ filesOnly = false }: { filesOnly?: boolean }) => {
      const validation = await cli.withWaybill((waybill) => waybill.validate({ filesOnly }), {
        allowMissingEnvironment: filesOnly,
      });
      cli.document({ ...validation, warnings: validation.warnings.map(warningDocument) });
      cli.say(summary(validation));
      done(EXIT.done);
    });
};

function summary({ loads, sessions, connections, tables, statements, warnings }: Validation): string {
  const lines = warnings.map(
    (problem) => `warning: ${formatProblem(problem)}${problem.next === undefined ? '' : `\n  ${problem.next}`}`,
  );
  lines.push(`Files: ${plural(loads, 'load')} and ${plural(sessions, 'session')} are right.`);
  if (connections.length > 0) {
    const unchecked =
      statements.unchecked > 0 ? `; ${plural(statements.unchecked, 'statement')} can only be seen when they run` : '';
    lines.push(
      `Databases (${connections.join(', ')}): ${plural(tables, 'table')} and ` +
        `${plural(statements.checked, 'SQL statement')} are right${unchecked}.`,
    );
  } else lines.push('No database was asked.');
  return lines.join('\n');
}

function warningDocument({ file, line, column, message, next }: Problem) {
  return { file, line, column, message, next: next ?? null };
}
