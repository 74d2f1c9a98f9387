import { refuseAt } from './careless-json.ts';
import type { Fragment, TakeNote } from './note.ts';
import type { Place } from '../../config/problem.ts';

/** Where a task runs. */
export interface Dsn {
  at: Place;
  user: string;
  /** Only ever compared and measured, never written anywhere. */
  password: string;
  host: string;
  port: number;
  /** Empty: none is in use until a `use`. */
  database: string;
  tls: boolean;
  /** Which time zone its sessions had; `default`: that of the server. */
  timeZone: string;
  /** A `set` for each other server setting that its sessions had. */
  settings: Fragment[];
}

/** `user:password@tcp(host:port)/database?params`; `tcp(…)`, port and parameters may be missing. */
const FORM =
  /^(?:(?<user>[^:/]*)(?::(?<password>.*))?@)?(?:tcp\((?<inner>[^)]*)\)|(?<outer>[^()/@]*))\/(?<database>[^?]*)(?:\?(?<params>.*))?$/s;

/** What the Go driver was told, and we do by ourselves. */
const OURS: Record<string, string> = {
  charset: 'utf8mb4 is spoken',
  collation: 'utf8mb4 is spoken',
  parsetime: 'times are times',
  loc: 'it is about times that a program reads',
  autocommit: 'each range is a transaction',
};

/** What the Go driver keeps to itself; of any other parameter it makes a `SET` on each connection. */
const OF_DRIVER = `allowallfiles allowcleartextpasswords allowfallbacktoplaintext allownativepasswords allowoldpasswords
  checkconnliveness clientfoundrows columnswithalias compress connectionattributes interpolateparams maxallowedpacket
  multistatements readtimeout rejectreadonly serverpubkey strict timetruncate timeout writetimeout`.split(/\s+/);

/** Reads the Go form of an address. Throws with the place, and never with any part of the text, which holds a password. */
export function parseDsn({ text, at }: Fragment, note: TakeNote): Dsn {
  const parts = FORM.exec(text.trim())?.groups;
  const form = 'Write user:password@tcp(host:port)/database.';
  if (parts === undefined) return refuseAt(at, '`Dsn` is not in the form of the Go driver', form);
  const address = parts['inner'] ?? parts['outer'] ?? '';
  const [, host, port] = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(address) ?? [];
  if (host === undefined) refuseAt(at, '`Dsn` names no host and port that can be read', form);
  if (parts['user'] === undefined || parts['user'] === '') refuseAt(at, '`Dsn` names no user', form);
  let tls = false;
  let timeZone = 'default';
  const settings: Fragment[] = [];
  for (const [given, value] of new URLSearchParams(parts['params'] ?? '')) {
    const name = given.toLowerCase();
    if (name === 'tls') {
      tls = value !== 'false';
      if (value !== 'true' && value !== 'false')
        note('dangerous', at, `\`tls=${value}\`: becomes \`tls: true\`, which verifies the server's certificate`);
    } else if (name === 'time_zone') timeZone = value.replace(/^(['"])(.*)\1$/, '$2');
    else if (/^\w+$/.test(name) && !Object.hasOwn(OURS, name) && !OF_DRIVER.includes(name)) {
      settings.push({ text: `set ${name}=${value}`, at });
    } else note('ignored', at, `\`${given}\` of \`Dsn\`: ${OURS[name] ?? 'it has no counterpart'}`);
  }
  return {
    at,
    user: parts['user'],
    password: parts['password'] ?? '',
    host: host === '' ? 'localhost' : host,
    port: Number(port ?? 3306),
    database: parts['database'] ?? '',
    tls,
    timeZone,
    settings,
  };
}
