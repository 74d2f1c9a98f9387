import { CONTROL_CONNECTIONS } from '../../config/check-lanes.ts';
import type { Dsn } from './dsn.ts';
import { Names } from './names.ts';
import type { TakeNote } from './note.ts';
import type { TaskLoad } from './task-load.ts';

const DEFAULT_CONNECTIONS = 8;

interface Connection {
  name: string;
  dsn: Dsn;
  database: string;
  lanes: number;
  /** The environment variable of its password; none where there is no password. */
  variable: string | undefined;
}

/** The connections of a project: one for each user, server and database that tasks name. */
export class Connections {
  private readonly all: Connection[] = [];
  private readonly names = new Names();

  /** The name of the connection that this task needs. */
  of(dsn: Dsn, { database, lanes }: TaskLoad, note: TakeNote): string {
    let found = this.all.find((other) => other.database === database && isSame(other.dsn, dsn));
    if (found === undefined) {
      const name = this.names.give(database, 'database');
      const variable = dsn.password === '' ? undefined : `${name.toUpperCase()}_PASSWORD`;
      found = { name, dsn, database, lanes, variable };
      this.all.push(found);
      note(
        'changed',
        dsn.at,
        'statements run in the time zone of the server, as they did, and the times of the window are written in it: session_params, time_zone',
      );
      note(
        'changed',
        dsn.at,
        'statements run in strict mode, whatever the sql_mode of the server is: a value that does not fit is an error, where a server without it cut it with a warning',
      );
      if (variable !== undefined) {
        const encoded =
          encodeURIComponent(dsn.password) === dsn.password ? '' : ', percent-encoded, for it has special characters';
        note(
          'changed',
          dsn.at,
          `the password of ${dsn.user} is not written anywhere: put it into ${variable}${encoded}`,
        );
      }
    }
    found.lanes = Math.max(found.lanes, lanes);
    return found.name;
  }

  /** `connections:` of waybill.yaml. */
  settings(): Record<string, unknown> {
    return Object.fromEntries(
      this.all.map(({ name, dsn, database, lanes, variable }) => {
        const most = lanes + CONTROL_CONNECTIONS;
        const user = `${encodeURIComponent(dsn.user)}${variable === undefined ? '' : `:\${${variable}}`}`;
        return [
          name,
          {
            url: `mysql://${user}@${dsn.host}:${dsn.port}/${encodeURIComponent(database)}`,
            ...(most > DEFAULT_CONNECTIONS && { max_connections: most }),
            ...(dsn.tls && { tls: true }),
          },
        ];
      }),
    );
  }

  variables(): string[] {
    return this.all.flatMap(({ variable }) => (variable === undefined ? [] : [variable]));
  }
}

const isSame = (a: Dsn, b: Dsn): boolean =>
  a.user === b.user && a.password === b.password && a.host === b.host && a.port === b.port && a.tls === b.tls;
