import { EXIT } from '../errors.ts';
import type { AddCommand, Cli } from './cli.ts';
import { environmentByKind } from './dev-databases.ts';

export const addMigrate: AddCommand = (program, cli, done) => {
  program
    .command('migrate')
    .description('create the control tables of every connection that loads write to, or bring them up to date')
    .option('--print', 'print the SQL instead of running it, for a DBA to read or run')
    .action(async ({ print = false }: { print?: boolean }) => {
      await (print ? printScripts(cli) : migrate(cli));
      done(EXIT.done);
    });
};

async function migrate(cli: Cli): Promise<void> {
  const applied = await cli.withWaybill((waybill) => waybill.migrate());
  cli.document({ applied });
  for (const [connection, files] of Object.entries(applied)) {
    cli.say(`${connection}: ${files.length === 0 ? 'up to date' : `applied ${files.join(', ')}`}`);
  }
}

/** No database is asked: where no URL says which server a connection is on, the schema file does that makes its tables. */
async function printScripts(cli: Cli): Promise<void> {
  const env = await environmentByKind(cli.projectFolder, cli.io.env);
  const scripts = await cli.withWaybill((waybill) => waybill.migrationScripts(), {
    allowMissingEnvironment: true,
    env,
  });
  cli.document({ scripts });
  for (const [connection, script] of Object.entries(scripts)) cli.say(`-- connection ${connection}\n${script}`);
}
