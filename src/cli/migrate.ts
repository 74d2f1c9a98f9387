import { EXIT } from '../errors.ts';
import type { AddCommand } from './cli.ts';

export const addMigrate: AddCommand = (program, cli, done) => {
  program
    .command('migrate')
    .description('create the control tables of every connection that loads write to, or bring them up to date')
    .option('--print', 'print the SQL instead of running it, for a DBA to read or run')
    .action(async ({ print = false }: { print?: boolean }) => {
      await cli.withWaybill(
        async (waybill) => {
          if (print) {
            const scripts = await waybill.migrationScripts();
            cli.document({ scripts });
            for (const [connection, script] of Object.entries(scripts))
              cli.say(`-- connection ${connection}\n${script}`);
            return;
          }
          const applied = await waybill.migrate();
          cli.document({ applied });
          for (const [connection, files] of Object.entries(applied)) {
            cli.say(`${connection}: ${files.length === 0 ? 'up to date' : `applied ${files.join(', ')}`}`);
          }
        },
        { allowMissingEnvironment: print },
      );
      done(EXIT.done);
    });
};
