/** What plain SQL finds wrong when all is over. Each query gives the rows that should not be; none is right. */
import { BUCKETS } from './project.ts';

/** Rows of two queries that are not in both, each as often: `times` above 0: missing in the second. */
const differ = (columns: string, expected: string, found: string): string => `
  select ${columns}, sum(times) as times from (
    select ${columns}, 1 as times from (${expected}) e union all select ${columns}, -1 as times from (${found}) f
  ) both_sides group by ${columns} having sum(times) <> 0`;

const batches = (load: string): string =>
  `select b.batch_id from waybill.batch b where b.load_name = '${load}' and b.state = 'published'`;
const newest = (load: string): string => `(select max(p.batch_id) from (${batches(load)}) p)`;

/** Tables with the rows of batches, and the load that writes them. */
const OUTPUTS: Record<string, readonly string[]> = {
  'acquisition.event': ['acq.event'],
  'acquisition.reading': ['acq.reading'],
  'acquisition.region': ['acq.region'],
  'core.fact': ['core.event', 'core.reading', 'core.note', 'core.tag'],
  'core.region': ['core.region'],
  'services.fact': ['services.event', 'services.remark'],
  'services.summary': ['services.summary', 'services.place'],
  'task.spread': ['services.spread'],
};
/** The landing tables that a snapshot has emptied in between. */
const EMPTIED = ['acquisition.event', 'acquisition.reading'];

const rowsOfBatches = (tables: readonly string[]): string =>
  tables.map((table) => `select t.batch_id, count(*) as found from ${table} t group by t.batch_id`).join(' union all ');

const WRITTEN = (kind: string): string => `select w.tx, w.n from src.written w where w.kind = '${kind}'`;

export const QUERIES: Record<string, string> = {
  'events of the source, once each in core.event': differ(
    'event_id, tx, n, amount',
    'select event_id, tx, n, amount from src.event',
    'select event_id, tx, n, amount from core.event',
  ),
  'readings of the source, once each in core.reading': differ(
    'reading_id, tx, n',
    'select reading_id, tx, n from src.reading',
    'select reading_id, tx, n from core.reading',
  ),
  'what writers wrote into the source is there': differ(
    'tx, n',
    ['src.event', 'src.reading', 'src.region'].map(WRITTEN).join(' union all '),
    ['event', 'reading', 'region'].map((table) => `select tx, n from src.${table}`).join(' union all '),
  ),
  'notes of writers, once each in core.note': differ('tx, n', WRITTEN('acq.note'), 'select tx, n from core.note'),
  'tags of writers, once each in core.tag': differ('tx, n', WRITTEN('acq.tag'), 'select tx, n from core.tag'),
  'a number of a landing table that was given twice':
    'select note_id as id from core.note group by note_id having count(*) > 1 union all select tag_id from core.tag group by tag_id having count(*) > 1',
  'a default of a landing table that was lost': `select tag_id from core.tag where said <> 'nothing'`,
  'the newest copy of src.region is whole': differ(
    'region_id, tx, n',
    'select region_id, tx, n from src.region',
    `select region_id, tx, n from core.region where landed = ${newest('acquisition.region')}`,
  ),
  'copies of src.region, once each in core.region': differ(
    'batch_id, ngdw_id, region_id',
    'select batch_id, ngdw_id, region_id from acq.region',
    'select landed as batch_id, ngdw_id, region_id from core.region',
  ),
  'a row that one copy of src.region has twice':
    'select batch_id, region_id from acq.region group by batch_id, region_id having count(*) > 1',
  'events of core, once each in services.event': differ(
    'core_batch, event_id, tx, n, amount',
    'select batch_id as core_batch, event_id, tx, n, amount from core.event',
    'select core_batch, event_id, tx, n, amount from services.event',
  ),
  'notes and tags of core, once each in services.remark': differ(
    'core_batch, kind, tx, n',
    `select batch_id as core_batch, 'note' as kind, tx, n from core.note union all select batch_id, 'tag', tx, n from core.tag`,
    'select core_batch, kind, tx, n from services.remark',
  ),
  'events of each core batch, counted once in services.summary': differ(
    'core_batch, events',
    'select batch_id as core_batch, count(*) as events from core.event group by batch_id',
    'select core_batch, events from services.summary',
  ),
  'regions of core, once each in services.place': differ(
    'landed, region_id',
    'select landed, region_id from core.region',
    'select landed, region_id from services.place',
  ),
  'each published batch of task.spread has every range': differ(
    'batch_id, k',
    `select p.batch_id, b.id as k from core.bucket b, (${batches('task.spread')}) p`,
    'select batch_id, k from services.spread',
  ),
  'each run of task.sweep reached every row once': `
    select id, times from core.bucket where times <> (select count(*) from (${batches('task.sweep')}) p)`,
  [`all ${BUCKETS} rows of core.bucket are there`]: `select count(*) as n from core.bucket having count(*) <> ${BUCKETS}`,
  'steps before and after ran as the ledger says': differ(
    'batch_id, phase',
    `select s.batch_id, s.phase from waybill.step s where s.state = 'done' and s.phase in ('before', 'after')`,
    `select batch_id, 'before' as phase from core.began union all select batch_id, 'after' from core.ended`,
  ),
  'a step of a published batch that is not done': `
    select s.batch_id, s.phase, s.state from waybill.step s join waybill.batch b on b.batch_id = s.batch_id
    where b.state = 'published' and s.state not in ('done', 'skipped')`,
  'rows of a batch that is not published': Object.values(OUTPUTS)
    .flat()
    .map(
      (table) => `select '${table}' as of_table, t.batch_id from ${table} t
        where not exists (select 1 from waybill.batch b where b.batch_id = t.batch_id and b.state = 'published') group by t.batch_id`,
    )
    .join(' union all '),
  'rows of a published batch that are not as many as its chunks': Object.entries(OUTPUTS)
    .filter(([load]) => !EMPTIED.includes(load))
    .map(
      ([load, tables]) => `select b.batch_id, b.load_name, b.rows_written, f.found from waybill.batch b
        left join (select batch_id, sum(found) as found from (${rowsOfBatches(tables)}) t group by batch_id) f on f.batch_id = b.batch_id
        where b.load_name = '${load}' and b.state = 'published' and b.rows_written <> coalesce(f.found, 0)`,
    )
    .join(' union all '),
  'a published batch whose chunks are not all done, or do not add up': `
    select b.batch_id, b.load_name, b.rows_written from waybill.batch b
    where b.state = 'published' and b.load_name <> 'task.sweep' and (
      b.rows_written <> (select coalesce(sum(c.row_count), 0) from waybill.chunk c where c.batch_id = b.batch_id)
      or exists (select 1 from waybill.chunk c where c.batch_id = b.batch_id and c.state <> 'done')
      or exists (select 1 from waybill.stage s where s.batch_id = b.batch_id
        and coalesce(s.planned_chunks, -1) <> (select count(*) from waybill.chunk c where c.batch_id = b.batch_id and c.stage = s.n)))`,
  'a batch that is not at its end': `
    select batch_id, load_name, state from waybill.batch where state in ('running', 'checking', 'held', 'rolling_back', 'retracting')`,
  'a snapshot of a published batch that was not dropped': `
    select s.batch_id, s.table_name from waybill.snapshot s join waybill.batch b on b.batch_id = s.batch_id
    where b.state = 'published' and s.dropped_at is null`,
  'rows in a landing table that a core load should have taken':
    'select event_id as id from acq.event union all select reading_id from acq.reading union all select note_id from acq.note union all select tag_id from acq.tag',
  'tables that should be gone': `
    select table_schema as in_schema, table_name as name from information_schema.tables
    where table_schema in ('src', 'acq', 'core', 'services')
      and (table_name like '%processing' or table_name like '%next' or table_name like 'waybill%')`,
  'triggers that should be gone': `
    select trigger_schema as in_schema, trigger_name as name from information_schema.triggers
    where trigger_schema in ('src', 'acq', 'core', 'services')`,
};

/** The same for each of the families. */
export const OWN: Record<'postgres' | 'mysql', Record<string, string>> = {
  postgres: { 'locks that nobody should hold': `select pid, locktype from pg_locks where locktype = 'advisory'` },
  mysql: { 'an intent to swap that was not forgotten': 'select batch_id, table_name from waybill.swap_intent' },
};
