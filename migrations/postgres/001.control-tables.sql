-- Waybill's control tables. Runs with search_path set to the control schema, so no name here is qualified.
-- `batch` and `batch_input` are never garbage: they say which load brought each row of the warehouse.

create table project (
  singleton      boolean primary key default true check (singleton),
  name           text not null,
  last_batch_id  bigint not null default 0,   -- its row lock serialises the opening of batches; a failed opening burns no id
  created_at     timestamptz not null default now()
);

create table batch (
  batch_id         bigint primary key,
  load_name        text not null,
  kind             text not null check (kind in ('acquisition', 'core', 'services', 'task')),
  state            text not null check (state in ('running', 'checking', 'held', 'published', 'rolling_back', 'failed',
                                                  'cancelled', 'retracting', 'retracted')),
  reprocess_of     bigint references batch,   -- the failed batch whose snapshot or consumed set this one takes over
  attempt          int not null default 1,    -- within its workflow: a forced reload opens the next
  triggered_by     text,
  forced           boolean not null default false,
  definition_hash  text not null,
  definition       text not null,             -- the load as it was when the batch opened, SQL included
  params           text not null default '{}',
  invisible        text not null default '[]',-- batches unfinished when this one opened: `reads` must not see them, ever
  window_from      text,
  window_to        text,
  load_at          timestamptz,               -- :load_at; null: when it started
  last_load_at     timestamptz,               -- :last_load_at; null: there was none
  session_name     text,                      -- whose shared window these two are
  workflow_id      text,
  first_run_id     text,
  started_at       timestamptz not null default now(),
  deadline_at      timestamptz not null,
  finished_at      timestamptz,
  rows_read        bigint,
  rows_written     bigint,
  rows_rejected    bigint,
  error_class      text,
  error            text,
  requested_by     text,
  reason           text
);
-- At most one unfinished batch a load: what makes two openings at once safe, whoever asks.
create unique index batch_unfinished on batch (load_name)
  where state in ('running', 'checking', 'held', 'rolling_back', 'retracting');
-- Opening is idempotent on the workflow's first run and the attempt within it.
create unique index batch_opened_by on batch (first_run_id, attempt);
create index batch_by_load on batch (load_name, batch_id desc);

create table stage (
  batch_id        bigint not null references batch,
  n               int not null,
  name            text not null,
  method          text,                       -- how ranges are cut: once, pages, key, range (of a task)
  planned_chunks  int,                        -- null: not planned yet; 0: planned and empty
  source_state    text,                       -- from.consistent: the state of the source that all chunks read
  started_at      timestamptz,
  finished_at     timestamptz,
  primary key (batch_id, n)
);

create table chunk (
  batch_id     bigint not null,
  stage        int not null,
  n            int not null,
  range_from   text,
  range_to     text,
  state        text not null default 'pending' check (state in ('pending', 'done', 'failed')),
  attempts     int not null default 0,
  not_before   timestamptz not null default now(),
  row_count    bigint,
  rows_read    bigint,
  worker       text,
  started_at   timestamptz,
  finished_at  timestamptz,
  error        text,
  primary key (batch_id, stage, n)
) with (fillfactor = 70);
-- Keeps the claim flat from the first chunk to the last (FACTS: 60,000 chunks).
create index chunk_pending on chunk (batch_id, stage, n) where state = 'pending';

-- The shared window of a session: what lies between `last_load_at` and `load_at` is being loaded; no `load_at`: nothing is.
create table session_window (
  session_name  text not null primary key,
  last_load_at  timestamptz,
  load_at       timestamptz,
  first_run_id  text                          -- of the run that opened it
);

create table lane (
  batch_id       bigint not null,
  stage          int not null,
  n              int not null,
  stop_asked     boolean not null default false,
  connection_id  bigint,
  worker         text,
  started_at     timestamptz,
  primary key (batch_id, stage, n)
);

create table landing (
  table_name  text primary key,
  wanted_by   bigint                          -- void once that batch has ended
);

create table snapshot (
  batch_id         bigint not null references batch,
  table_name       text not null,
  processing_name  text not null,
  relation_id      bigint not null,           -- pg_class.oid of the renamed table: its identity
  storage_id       bigint not null,           -- its relfilenode: a rewrite moves rows between page ranges
  adopted          boolean not null default false,
  taken_at         timestamptz not null default now(),
  dropped_at       timestamptz,
  primary key (batch_id, table_name)
);

create table step (
  batch_id     bigint not null references batch,
  phase        text not null check (phase in ('before', 'after', 'on_error')),
  n            int not null,
  state        text not null default 'pending' check (state in ('pending', 'done', 'failed', 'skipped')),
  attempts     int not null default 0,
  row_count    bigint,
  started_at   timestamptz,
  finished_at  timestamptz,
  error        text,
  primary key (batch_id, phase, n)
);

create table batch_input (
  batch_id           bigint not null references batch,
  producer_batch_id  bigint not null references batch,
  producer_load      text not null,
  via                text not null check (via in ('snapshot', 'consumes', 'reads')), -- reads: the newest one that was visible
  primary key (batch_id, producer_batch_id, via)
);
create index batch_input_producer on batch_input (producer_batch_id);

create table batch_output (
  batch_id       bigint not null references batch,
  table_name     text not null,
  rollback_form  text not null default 'delete',
  primary key (batch_id, table_name)
);
create index batch_output_table on batch_output (table_name);

create table check_result (
  batch_id    bigint not null references batch,
  n           int not null,
  name        text not null,
  severity    text not null,
  expected    text not null,
  actual      text,
  passed      boolean not null,
  checked_at  timestamptz not null default now(),
  primary key (batch_id, n)
);

create table rejected_row (
  batch_id     bigint not null references batch,
  stage        int not null,
  chunk        int not null,
  n            int not null,
  row_key      text,
  row_data     text,                   -- its columns as JSON
  error        text,
  rejected_at  timestamptz not null default now(),
  primary key (batch_id, stage, chunk, n)
);

-- The files of an acquisition `from.files`. Not garbage while they may be read again: a published one is never read twice.
create table source_file (
  batch_id  bigint not null references batch,
  n         int not null,                     -- its chunk
  name      text not null,                    -- relative to the project's folder
  size      bigint,                           -- bytes as they lie there; null: not read yet
  sha256    text,
  primary key (batch_id, n)
);

-- Rows that the query of a task gave, as text: of each chunk first what stands above rows, then they.
create table output_part (
  batch_id  bigint not null references batch,
  stage     int not null,
  chunk     int not null,
  n         int not null,
  body      text not null,
  primary key (batch_id, stage, chunk, n)
);

create table event (
  event_id      bigint generated always as identity primary key,
  batch_id      bigint,
  load_name     text not null,
  what          text not null,                -- opened, fenced, rolled_back, published, forced, held, resumed, adopted, …
  requested_by  text,
  reason        text,
  happened_at   timestamptz not null default now()
);
create index event_by_batch on event (batch_id);

create view job_control as
select load_name,
       case when state in ('running', 'checking', 'rolling_back', 'retracting') then 'running'
            when state = 'published' then 'finished'
            else 'error' end as status,
       batch_id, started_at, finished_at, rows_written, error
from batch b
where batch_id = (select max(batch_id) from batch l where l.load_name = b.load_name);

create view published_batch as
select batch_id, load_name, kind, window_from, window_to, started_at, finished_at, rows_read, rows_written
from batch
where state = 'published';

-- Called by the trigger that every snapshot carries (src/database/postgres/snapshot/guard.ts).
create function refuse_snapshot_write() returns trigger
language plpgsql as $function$
begin
  raise exception '% of %.% is refused: it is the snapshot of %, which a batch of Waybill reads',
    lower(tg_op), tg_table_schema, tg_table_name, tg_argv[0]
    using errcode = 'object_not_in_prerequisite_state',
      hint = format('Write to %s. The snapshot goes when its batch is published: see waybill status.', tg_argv[0]);
end
$function$;
