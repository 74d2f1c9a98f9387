import type { MysqlSession } from './session.ts';

/**
 * Has a copy keep a 0 that lands in an AUTO_INCREMENT column, in whose place both servers put the next number. (A column that no value is
 * given for is numbered as ever.) Said before each copy, for `session_params` may set the mode before each chunk. It stays: nothing but
 * copies and the ledger's own statements runs on such a session, and triggers have the mode in which they were made.
 */
export const keepZeros = (session: MysqlSession): Promise<void> =>
  session.say(`set session sql_mode = concat_ws(',', nullif(@@session.sql_mode, ''), 'NO_AUTO_VALUE_ON_ZERO')`);
