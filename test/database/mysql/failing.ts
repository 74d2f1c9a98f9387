import { MysqlDatabase } from '../../../src/database/mysql/database.ts';
import { classify } from '../../../src/database/mysql/errors.ts';
import type { MysqlTestServer } from '../../mysql-on-demand.ts';
import { freshMysqlDatabase } from '../../mysql-servers.ts';

/** Stands in rows only: no message for Temporal's history may hold it. */
export const SECRET = 'mary@example.org';

/** A database with tables and functions whose statements can fail in many ways. Whoever opens it closes it. */
export async function openFailing(server: MysqlTestServer): Promise<MysqlDatabase> {
  const { url } = await freshMysqlDatabase(server);
  const database = new MysqlDatabase({ name: 'w', url, scheme: 'mysql', maxConnections: 4, controlSchema: 'waybill' });
  for (const text of [
    'create table t (id int primary key, mail varchar(30) unique, n tinyint, d date, constraint positive check (n > 0))',
    'create table child (id int primary key, t_id int, constraint to_t foreign key (t_id) references t (id))',
    `insert into t values (1, '${SECRET}', 1, '2024-01-01')`,
    'create function raised(what varchar(60)) returns int deterministic begin ' +
      "signal sqlstate '45000' set message_text = what; return 1; end",
    'create function deletes(what varchar(60)) returns int deterministic modifies sql data ' +
      'begin delete from t where mail = what; return 1; end',
    'create table mixed (a varchar(30) character set latin1 collate latin1_german1_ci, ' +
      'b varchar(30) character set latin1 collate latin1_swedish_ci, c varchar(30) character set latin1 collate latin1_bin)',
    `insert into mixed values ('${SECRET}', '${SECRET}', '${SECRET}')`,
  ]) {
    await database.query({ strings: [text], values: [] });
  }
  return database;
}

/** What the last of these statements fails with, sorted: in a transaction of their own, which is rolled back. */
export async function failureIn(database: MysqlDatabase, ...texts: string[]): Promise<ReturnType<typeof classify>> {
  const session = await database.openSession('waybill errors');
  try {
    await session.begin();
    for (const text of texts) await session.run({ text, values: [] });
    throw new Error(`no error: ${texts.join('; ')}`);
  } catch (error) {
    return classify(error);
  } finally {
    await session.rollback();
    await session.close();
  }
}
