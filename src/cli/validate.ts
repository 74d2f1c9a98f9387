import { formatPlace, formatProblem, type Problem } from '../config/problem.ts';
import type { Validation } from '../client/validate-project.ts';
import { ConfigurationError, EXIT } from '../errors.ts';
import { plural } from './format.ts';
import type { AddCommand, Cli } from './cli.ts';
import { environmentByKind, startDevDatabases, unsetUrls, type UnsetUrl } from './dev-databases.ts';

export const addValidate: AddCommand = (program, cli, done) => {
  program
    .command('validate')
    .description('check the files, then tables, columns and SQL against the databases; nothing is changed')
    .option('--files-only', 'ask no database; variables of connection URLs need not be set')
    .option(
      '--scratch',
      'where the URL of a connection is not set, ask a new database that schema/<connection>.sql makes',
    )
    .action(async ({ filesOnly = false, scratch = false }: { filesOnly?: boolean; scratch?: boolean }) => {
      if (filesOnly && scratch) {
        throw new ConfigurationError('--files-only asks no database, --scratch makes some', {
          next: 'give one of them',
        });
      }
      const validation = await (filesOnly ? validateFiles : scratch ? validateOnScratch : validateDatabases)(cli);
      cli.document({ ...validation, warnings: validation.warnings.map(warningDocument) });
      cli.say(summary(validation));
      done(EXIT.done);
    });
};

/** SQL is read as the server of its connection reads it, which a schema file tells where no URL does. */
async function validateFiles(cli: Cli): Promise<Validation> {
  const env = await environmentByKind(cli.projectFolder, cli.io.env);
  return cli.withWaybill((waybill) => waybill.validate({ filesOnly: true }), { allowMissingEnvironment: true, env });
}

const validateDatabases = (cli: Cli): Promise<Validation> => cli.withWaybill((waybill) => waybill.validate());

/**
 * Where a connection's URL is not set, a database that the project's `schema/` makes stands in, and it is said so. Only when it is
 * asked for: a deployment that has lost a variable must not pass.
 */
async function validateOnScratch(cli: Cli): Promise<Validation> {
  const unset = await unsetUrls(cli.projectFolder, cli.io.env);
  const bare = unset.find(({ schema }) => schema === undefined);
  if (bare) {
    throw new ConfigurationError(
      `${bare.variable} is not set, and there is no schema/${bare.connection}.sql (nor .mysql.sql, nor .mariadb.sql) to make a database`,
      {
        where: formatPlace(bare.place),
        next: `set ${bare.variable}, or write the tables of ${bare.connection} into one of them`,
      },
    );
  }
  if (unset.length === 0) return validateDatabases(cli);
  await validateFiles(cli); // what is wrong in the files is said before anything is started
  const databases = await startDevDatabases(unset, { onProgress: (text) => cli.note(text) });
  try {
    const env = { ...cli.io.env, ...databases.variables };
    const validation = await cli.withWaybill((waybill) => waybill.validate(), { env });
    return { ...validation, warnings: [...unset.map(standIn), ...validation.warnings] };
  } finally {
    await databases.stop();
  }
}

function standIn({ connection, variable, place, schema }: UnsetUrl): Problem {
  const message = `${variable} is not set: a database made by ${schema?.file} was asked in place of \`${connection}\``;
  return { ...place, message, next: 'Set it to check against the real one.', severity: 'warn' };
}

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
