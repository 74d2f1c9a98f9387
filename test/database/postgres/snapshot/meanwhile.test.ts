/** What others do to the table, or to its twin, while it is swapped, and no lock of ours keeps them from. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import { afterEach, describe, expect, test } from 'vitest';
import { TableChangedError } from '../../../../src/database/postgres/snapshot/table-changed-error.ts';
import { inTurns } from '../../../every-server.ts';
import { servers } from '../../../servers.ts';
import { describeTable } from './describe-table.ts';
import { before, Scene } from './scene.ts';

describe.each(servers)('while a table is swapped on $name', (server) => {
  const turn = inTurns(import.meta.url, server, servers);
  let scene: Scene;
  afterEach(() => scene.close());

  const grantsOf = async (table: string) =>
    (
      await scene.client.query<{ what: string }>(
        `select format('%s %s', grantee, privilege_type) as what from information_schema.role_table_grants
         where table_schema = 'acq' and table_name = $1 and grantee like 'snap%'
         union all select format('%s %s (%s)', grantee, privilege_type, column_name) from information_schema.column_privileges
         where table_schema = 'acq' and table_name = $1 and grantee like 'snap%' and privilege_type = 'UPDATE'
         order by 1`,
        [table],
      )
    ).rows.map((row) => row.what);

  /** Does this once, when all has been read and the table is about to get its other name. */
  const beforeRename = (work: () => Promise<unknown>) => before(scene.client, /rename to \\*"flight_processing/, work);

  // What names a schema takes no lock on its tables, on any version.
  const CHANGES = {
    'a grant on the table': 'grant select on all tables in schema acq to snap_reader',
    'a comment on an index': `comment on index acq.flight_v is 'late'`,
    'a comment on the row type': `comment on type acq.flight is 'late'`,
    'a storage parameter of an index': 'alter index acq.flight_v set (fillfactor = 60)',
    'a statistics target of an index': 'alter index acq.flight_low alter column 1 set statistics 99',
    'a target of statistics': 'alter statistics acq.flight_s set statistics 77',
    'an owner of statistics': 'alter statistics acq.flight_s owner to snap_owner',
    ...(server.name === 'PostgreSQL 15' && { 'a grant on a column': 'grant update (v) on acq.flight to snap_reader' }),
  };
  for (const [title, statement] of Object.entries(CHANGES)) {
    test(`${title} that commits between the look at it and the rename is not lost: the swap begins again`, async () => {
      scene = await Scene.open(server);
      await scene.client.query(`grant create on schema acq to snap_owner; create index flight_v on acq.flight (v);
        create index flight_low on acq.flight (lower(note)); create statistics acq.flight_s on id, v from acq.flight`);
      const other = await scene.connect('migration');
      beforeRename(() => other.query(statement));
      await expect(scene.swap()).rejects.toThrow(TableChangedError);
      const is = await describeTable(scene.client, 'acq.flight');
      await scene.swap();
      expect(await describeTable(scene.client, 'acq.flight')).toEqual(is);
    });
  }

  turn('a comment on the row type that comes once it is kept waits, and is on the new table', async () => {
    scene = await Scene.open(server);
    const other = await scene.connect('migration');
    let said: Promise<unknown> | undefined;
    before(scene.client, /refuse_snapshot_write/, async () => {
      said = other.query(`comment on type acq.flight is 'late'`);
      await Promise.race([said, sleep(100)]);
    });
    await scene.swap();
    await said;
    const { rows } = await scene.client.query(`select obj_description('acq.flight'::regtype, 'pg_type') as says`);
    expect(rows).toEqual([{ says: 'late' }]);
  });

  turn('a grant that commits while the rename waits for it has the swap begin again, and nothing else', async () => {
    scene = await Scene.open(server);
    const other = await scene.connect('migration');
    beforeRename(async () => {
      await other.query('begin; grant select on all tables in schema acq to snap_reader');
      void sleep(100).then(() => other.query('commit'));
    });
    await expect(scene.swap()).rejects.toThrow(/^acq\.flight (is in use|changes each time)/);
    await scene.swap();
    expect(await grantsOf('flight')).toEqual(['snap_reader SELECT']);
  });

  if (server.name === 'PostgreSQL 15') {
    test('a grant on a column, once the table is renamed, waits, and fails aloud', async () => {
      scene = await Scene.open(server);
      const other = await scene.connect('migration');
      const { client } = scene;
      let granted: Promise<unknown> | undefined;
      const query = client.query.bind(client) as (...all: unknown[]) => Promise<unknown>;
      client.query = (async (...all: unknown[]) => {
        if (all[0] === 'commit') {
          granted = other.query('grant update (v) on acq.flight to snap_reader').catch((error: unknown) => error);
          await sleep(100);
        }
        return query(...all);
      }) as unknown as Client['query'];
      await scene.swap();
      expect(await granted).toMatchObject({ message: 'tuple concurrently updated' });
    });
  }

  /** Its wait is short, and a busy machine may not get to look at it in time. */
  async function told(swap: () => Promise<unknown>, tries = 20): Promise<unknown> {
    const result = (await swap()) as { holders?: unknown[] };
    return result.holders?.length === 0 && tries > 1 ? told(swap, tries - 1) : result;
  }

  turn('whoever holds what the swap needs besides is named, and asked for again', async () => {
    scene = await Scene.open(server);
    await scene.client.query(
      'create table acq.other (id int); create view acq.v as select f.id from acq.flight f, acq.other',
    );
    const holder = await scene.connect('a long migration');
    const holders = [expect.objectContaining({ application: 'a long migration', user: 'postgres' })];
    await scene.withEngine(async (swap) => {
      await holder.query('begin; lock table acq.other in access exclusive mode');
      expect(await told(swap)).toEqual({ kind: 'busy', waitingFor: 'acq.other', holders });
      await holder.query('rollback; begin; grant select on all tables in schema acq to snap_reader');
      expect(await told(swap)).toEqual({ kind: 'busy', waitingFor: 'acq.flight', holders });
      await holder.query('commit');
      expect(await swap()).toEqual({ kind: 'swapped' });
    });
  });

  // None of these takes a lock on the table, and each makes a statement that was read from the catalog before a wrong one.
  const TAKEN_AWAY = {
    'a publication that is dropped': ['drop publication p', /refuse_snapshot_write/],
    'a publication that is renamed': ['alter publication p rename to q', /refuse_snapshot_write/],
    'an index that is renamed': ['alter index acq.flight_v rename to other_name', /rename to/],
    'a type that is renamed': ['alter type acq.mood rename to temper', /rename to/],
    'a trigger function that is renamed': ['alter function acq.noticed rename to seen', /rename to/],
  } as const;
  for (const [title, [statement, moment]] of Object.entries(TAKEN_AWAY)) {
    turn(`${title} between the look at it and its turn has the swap begin again, and fails no load`, async () => {
      scene = await Scene.open(server);
      await scene.client.query(`create type acq.mood as enum ('a'); alter table acq.flight add m acq.mood;
        create function acq.noticed() returns trigger language plpgsql as $$ begin return new; end $$;
        create trigger t before insert on acq.flight for each row execute function acq.noticed();
        create index flight_v on acq.flight (v); create publication p for table acq.flight`);
      const other = await scene.connect('migration');
      await scene.withEngine(async (swap, client) => {
        before(client, moment, () => other.query(statement));
        expect(await swap()).toEqual({ kind: 'swapped' });
      });
      const { rows } = await scene.client.query(
        `select (select count(*) from pg_publication_rel where prrelid = 'acq.flight'::regclass)::int as published,
           (select string_agg(indexrelid::regclass::text, ' ') from pg_index where indrelid = 'acq.flight'::regclass) as indexes`,
      );
      expect(rows).toEqual([
        {
          published: statement.startsWith('drop') ? 0 : 1,
          indexes: statement.includes('other_name') ? 'acq.other_name' : 'acq.flight_v',
        },
      ]);
    });
  }

  turn('what the server refuses again is refused', async () => {
    scene = await Scene.open(server);
    await scene.client.query('create index flight_v on acq.flight (v)');
    await onDdl('CREATE INDEX', `raise 'no index is made here'`);
    await scene.withEngine(async (swap) => {
      await expect(swap()).rejects.toThrow('the snapshot could not be taken: no index is made here');
    });
  });

  turn('an event trigger that gives the twin another owner does not: it is that of the table', async () => {
    scene = await Scene.open(server);
    await onCreateTable('alter table acq.flight owner to snap_owner');
    await scene.swap();
    const { rows } = await scene.client.query(`select tableowner from pg_tables where tablename = 'flight'`);
    expect(rows).toEqual([{ tableowner: 'postgres' }]);
    expect(await grantsOf('flight')).toEqual([]);
  });

  const DONE_TO_TWINS = {
    'row level security': ['alter table acq.flight enable row level security', 'it has row level security'],
    'a trigger': [
      'create trigger extra before insert on acq.flight for each row execute function suppress_redundant_updates_trigger()',
      'it has trigger extra (O)',
    ],
    'an option': ['alter table acq.flight set (fillfactor = 55)', 'it has option fillfactor=55'],
  };
  for (const [title, [statement, differs]] of Object.entries(DONE_TO_TWINS)) {
    turn(`an event trigger that gives the twin ${title} stops the swap, which says so`, async () => {
      scene = await Scene.open(server);
      await onCreateTable(statement!);
      await expect(scene.swap()).rejects.toMatchObject({
        message: `the new acq.flight would not be what the table is: ${differs}`,
        next: expect.stringContaining('event trigger') as string,
      });
      expect((await scene.client.query(`select to_regclass('acq.flight_processing') as t`)).rows).toEqual([
        { t: null },
      ]);
    });
  }

  turn(
    'an event trigger that changes the table each time the swap touches it stops the load, which says what',
    async () => {
      scene = await Scene.open(server);
      await onDdl(
        'ALTER TABLE',
        `if to_regclass('acq.flight') is not null then grant select on acq.flight to snap_reader; end if`,
      );
      await scene.withEngine(async (swap) => {
        await expect(swap()).rejects.toMatchObject({
          message: 'acq.flight changes each time it is swapped: it has table: SELECT to snap_reader by postgres',
          next: expect.stringContaining('event trigger') as string,
        });
      });
      expect(await grantsOf('flight')).toEqual([]);
    },
  );

  const onCreateTable = (statement: string) => onDdl('CREATE TABLE', statement);

  async function onDdl(tag: string, statement: string): Promise<void> {
    await scene.client.query(`create function acq.house_rules() returns event_trigger language plpgsql as $$ begin
      ${statement}; end $$; create event trigger house_rules on ddl_command_end when tag in ('${tag}') execute function acq.house_rules()`);
  }
});
