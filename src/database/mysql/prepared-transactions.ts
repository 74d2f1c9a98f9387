import type { Holder } from '../dialect.ts';
import { raw, sql } from '../sql.ts';
import { unlessNotThere } from './expected-error.ts';
import type { ServerFacts } from './server-facts.ts';
import type { MysqlSession } from './session.ts';

interface Row {
  formatID: number | string;
  gtrid_length: number | string;
  bqual_length: number | string;
  /** See `listsPreparedIds`; `0x…`, if it is hexadecimal. */
  data: string | Buffer;
}

const RECOVER: Record<ServerFacts['listsPreparedIds'], string> = {
  'in hexadecimal': 'xa recover convert xid',
  'as in a statement': `xa recover format = 'SQL'`,
};

/**
 * The transactions of the server that are prepared for two-phase commit (XA), and hold what they hold until somebody ends them, with no
 * connection any more; undefined: not to be had (MySQL asks for XA_RECOVER_ADMIN). Which tables each holds no server says.
 */
export async function preparedTransactions(session: MysqlSession): Promise<Holder[] | undefined> {
  const { listsPreparedIds } = session.server;
  const answer = await unlessNotThere(session, () => session.query<Row>(sql`${raw(RECOVER[listsPreparedIds])}`));
  return answer?.rows.map((row) => {
    const xid = listsPreparedIds === 'in hexadecimal' ? xidOf(row) : inWords(String(row.data));
    return preparedAs(`prepared transaction ${xid}`, `XA COMMIT or XA ROLLBACK ${xid} ends it`);
  });
}

/** One that is not known by name. */
export const somePrepared = (): Holder =>
  preparedAs('a prepared transaction', 'XA RECOVER names it, XA COMMIT or XA ROLLBACK ends it');

const preparedAs = (application: string, toEnd: string): Holder => ({
  ...{ connectionId: '0', user: null, ageSeconds: null },
  ...{ application, toEnd },
});

/** As it stands in a statement: `'month'`, or `'month',X'0001',7`. */
function xidOf({ formatID, gtrid_length: global, bqual_length: branch, data }: Row): string {
  const bytes = Buffer.from(String(data).replace(/^0x/i, ''), 'hex');
  const first = textOf(bytes.subarray(0, Number(global)));
  const second = textOf(bytes.subarray(Number(global), Number(global) + Number(branch)));
  if (Number(formatID) !== 1) return `${first},${second},${formatID}`;
  return Number(branch) === 0 ? first : `${first},${second}`;
}

/** Every byte of each part is in hexadecimal there. */
const inWords = (xid: string): string =>
  xid.replaceAll(/X'([0-9a-f]*)'/gi, (_, hex: string) => textOf(Buffer.from(hex, 'hex')));

/** Letters, digits and what is as harmless stay as they are. */
function textOf(bytes: Buffer): string {
  const text = bytes.toString('latin1');
  return /^[\w .:/@-]*$/.test(text) ? `'${text}'` : `X'${bytes.toString('hex')}'`;
}
