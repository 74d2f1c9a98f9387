import { parseArgs } from 'node:util';
import { ConfigurationError } from '../../../src/errors.ts';

export interface DemoOptions {
  help: boolean;
  /** Leave everything up; the next such run goes on where this one ended. */
  keep: boolean;
  /** End what an earlier run with `keep` left up. */
  stop: boolean;
  /** Kill the worker inside the core load. */
  crash: boolean;
  /** What to load into: the URL of a database, or a server to start for it. Default: the source's own server. */
  warehouse: string | undefined;
  /** How many flights the source gets. */
  flights: number;
}

/** Every flight of the data set. */
const ALL_FLIGHTS = 3_000_000;

export const HELP = `Three million real flights, from a source database into a warehouse, by loads that survive anything.

  npm run demo                        start everything, load, prove, stop everything
  npm run demo -- --crash             the same, with a worker that is killed half way through
  npm run demo -- --keep              leave everything up; run it again and only new flights are loaded
  npm run demo -- --stop              end what --keep left up (its data stays in .waybill/demo)
  npm run demo -- --warehouse URL     load into this database: postgres://, mysql:// or mariadb://
  npm run demo -- --warehouse mysql   start a MySQL (or mariadb: a MariaDB) and load into that
  npm run demo -- --flights N         fewer flights

Exit codes are those of waybill: 0 done and proved, 1 a load failed or the proof did, 2 an argument or the set-up of the warehouse
is wrong, 3 interrupted, 5 a database cannot be reached, or lets that user not in (wrong password, no such database).`;

/** @throws ConfigurationError when the arguments make no sense together. */
export function parseOptions(args: string[]): DemoOptions {
  const { values } = parse(args);
  const flights = values.flights === undefined ? ALL_FLIGHTS : Number(values.flights);
  if (!Number.isInteger(flights) || flights < 1 || flights > ALL_FLIGHTS) {
    throw new ConfigurationError(`--flights must be a whole number from 1 to ${ALL_FLIGHTS}, not ${values.flights}.`);
  }
  if (values.crash && values.keep) {
    throw new ConfigurationError(
      '--crash and --keep do not go together: a kept run may have nothing left to crash in.',
      {
        next: 'Use one of them.',
      },
    );
  }
  const { warehouse } = values;
  if (warehouse !== undefined && !/^((postgres(ql)?|mysql|mariadb):\/\/.|(mysql|mariadb)$)/.test(warehouse)) {
    throw new ConfigurationError(
      '--warehouse must be a postgres://, mysql:// or mariadb:// URL, or the word mysql or mariadb.',
    );
  }
  if (values.keep && (warehouse === 'mysql' || warehouse === 'mariadb')) {
    throw new ConfigurationError(
      `--keep and --warehouse ${warehouse} do not go together: that server ends with the demo.`,
      {
        next: 'Give the URL of a server of yours.',
      },
    );
  }
  return {
    help: values.help === true,
    keep: values.keep === true,
    stop: values.stop === true,
    crash: values.crash === true,
    warehouse,
    flights,
  };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        help: { type: 'boolean', short: 'h' },
        keep: { type: 'boolean' },
        stop: { type: 'boolean' },
        crash: { type: 'boolean' },
        warehouse: { type: 'string' },
        flights: { type: 'string' },
      },
    });
  } catch (cause) {
    throw new ConfigurationError((cause as Error).message, { next: HELP, cause });
  }
}
