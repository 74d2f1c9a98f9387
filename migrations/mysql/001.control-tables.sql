-- Waybill's control tables on MySQL and MariaDB. Runs with the control database as the current one, so no name here is
-- qualified. DDL commits by itself here: each statement may be run again, and a semicolon ends a line only where it ends a
-- statement. Instants are in UTC, as every session of Waybill is. Texts are compared byte by byte, as on PostgreSQL.
-- `batch` and `batch_input` are never garbage: they say which load brought each row of the warehouse.

create table if not exists project (
  singleton      boolean not null default true primary key check (singleton = true),
  name           varchar(255) not null,
  last_batch_id  bigint not null default 0,   -- its row lock serialises the opening of batches; a failed opening burns no id
  created_at     datetime(6) not null default current_timestamp(6)
) engine = InnoDB, character set utf8mb4, collate utf8mb4_bin;

-- The row of a batch is its gate: whoever writes for it holds the row shared, who shuts it holds it alone. So nothing but a
-- change of state updates it while chunks run.
create table if not exists batch (
  batch_id         bigint not null primary key,
  load_name        varchar(255) not null,
  kind             varchar(20) not null check (kind in ('acquisition', 'core', 'services', 'task')),
  state            varchar(20) not null check (state in ('running', 'checking', 'held', 'published', 'rolling_back', 'failed',
                                                         'cancelled', 'retracting', 'retracted')),
  reprocess_of     bigint,                    -- the failed batch whose snapshot or consumed set this one takes over
  attempt          int not null default 1,    -- within its workflow: a forced reload opens the next
  triggered_by     text,
  forced           boolean not null default false,
  definition_hash  varchar(64) not null,
  definition       longtext not null,         -- the load as it was when the batch opened, SQL included
  params           longtext not null,
  invisible        longtext not null,         -- batches unfinished when this one opened: `reads` must not see them, ever
  window_from      text,
  window_to        text,
  load_at          datetime(6),               -- :load_at; null: when it started
  last_load_at     datetime(6),               -- :last_load_at; null: there was none
  session_name     varchar(300),                      -- whose shared window these two are
  workflow_id      text,
  first_run_id     varchar(64),
  started_at       datetime(6) not null default current_timestamp(6),
  deadline_at      datetime(6) not null,
  finished_at      datetime(6),
  rows_read        bigint,
  rows_written     bigint,
  rows_rejected    bigint,
  error_class      text,
  error            longtext,
  requested_by     text,
  reason           text,
  -- At most one unfinished batch a load: what makes two openings at once safe, whoever asks. NULL is never a duplicate.
  unfinished_load  varchar(255) as (case when state in ('running', 'checking', 'held', 'rolling_back', 'retracting')
                                         then load_name end) stored,
  unique key batch_unfinished (unfinished_load),
  -- Opening is idempotent on the workflow's first run and the attempt within it.
  unique key batch_opened_by (first_run_id, attempt),
  key batch_by_load (load_name, batch_id),
  constraint batch_reprocess_of foreign key (reprocess_of) references batch (batch_id)
) engine = InnoDB, character set utf8mb4, collate utf8mb4_bin;

create table if not exists stage (
  batch_id        bigint not null,
  n               int not null,
  name            varchar(255) not null,
  method          varchar(20),                -- how ranges are cut: once, pages, key, range (of a task)
  planned_chunks  int,                        -- null: not planned yet; 0: planned and empty
  source_state    varchar(255),               -- from.consistent: the state of the source that all chunks read
  started_at      datetime(6),
  finished_at     datetime(6),
  primary key (batch_id, n),
  constraint stage_of foreign key (batch_id) references batch (batch_id)
) engine = InnoDB, character set utf8mb4, collate utf8mb4_bin;

create table if not exists chunk (
  batch_id     bigint not null,
  stage        int not null,
  n            int not null,
  range_from   text,
  range_to     text,
  state        varchar(20) not null default 'pending' check (state in ('pending', 'done', 'failed')),
  attempts     int not null default 0,
  not_before   datetime(6) not null default current_timestamp(6),
  row_count    bigint,
  rows_read    bigint,
  worker       text,
  started_at   datetime(6),
  finished_at  datetime(6),
  error        longtext,
  primary key (batch_id, stage, n),
  -- Keeps the claim flat from the first chunk to the last.
  key chunk_pending (batch_id, stage, state, n)
) engine = InnoDB, character set utf8mb4, collate utf8mb4_bin;

-- The shared window of a session: what lies between `last_load_at` and `load_at` is being loaded; no `load_at`: nothing is.
create table if not exists session_window (
  session_name  varchar(300) not null primary key,
  last_load_at  datetime(6),
  load_at       datetime(6),
  first_run_id  varchar(300)                          -- of the run that opened it
) engine = InnoDB, character set utf8mb4, collate utf8mb4_bin;

create table if not exists lane (
  batch_id       bigint not null,
  stage          int not null,
  n              int not null,
  stop_asked     boolean not null default false,
  connection_id  bigint,
  worker         text,
  started_at     datetime(6),
  primary key (batch_id, stage, n)
) engine = InnoDB, character set utf8mb4, collate utf8mb4_bin;

create table if not exists landing (
  table_name  varchar(300) not null primary key,
  wanted_by   bigint                          -- void once that batch has ended
) engine = InnoDB, character set utf8mb4, collate utf8mb4_bin;

-- Its row locks keep publish and retract of one output apart.
create table if not exists output_lock (
  table_name  varchar(300) not null primary key
) engine = InnoDB, character set utf8mb4, collate utf8mb4_bin;

create table if not exists snapshot (
  batch_id         bigint not null,
  table_name       varchar(300) not null,
  processing_name  varchar(300) not null,
  relation_id      bigint not null,           -- which table this is, whatever it is called
  storage_id       bigint not null,
  adopted          boolean not null default false,
  taken_at         datetime(6) not null default current_timestamp(6),
  dropped_at       datetime(6),
  primary key (batch_id, table_name),
  constraint snapshot_of foreign key (batch_id) references batch (batch_id)
) engine = InnoDB, character set utf8mb4, collate utf8mb4_bin;

-- What a swap of landing tables is about to do, written before its first statement that commits by itself, and gone once the
-- snapshots are recorded: what breaks off in between is finished, or undone, by whoever comes next.
create table if not exists swap_intent (
  batch_id      bigint not null,
  table_name    varchar(300) not null,
  relation_id   bigint not null,              -- of the snapshot to be
  plan          longtext not null,            -- the table as its twin was made from it: definition, constraints, triggers
  intended_at   datetime(6) not null default current_timestamp(6),
  primary key (batch_id, table_name),
  constraint swap_intent_of foreign key (batch_id) references batch (batch_id)
) engine = InnoDB, character set utf8mb4, collate utf8mb4_bin;

create table if not exists step (
  batch_id     bigint not null,
  phase        varchar(20) not null check (phase in ('before', 'after', 'on_error')),
  n            int not null,
  state        varchar(20) not null default 'pending' check (state in ('pending', 'done', 'failed', 'skipped')),
  attempts     int not null default 0,
  row_count    bigint,
  started_at   datetime(6),
  finished_at  datetime(6),
  error        longtext,
  primary key (batch_id, phase, n),
  constraint step_of foreign key (batch_id) references batch (batch_id)
) engine = InnoDB, character set utf8mb4, collate utf8mb4_bin;

create table if not exists batch_input (
  batch_id           bigint not null,
  producer_batch_id  bigint not null,
  producer_load      varchar(255) not null,
  via                varchar(20) not null check (via in ('snapshot', 'consumes', 'reads')), -- reads: the newest one that was visible
  primary key (batch_id, producer_batch_id, via),
  key batch_input_producer (producer_batch_id),
  constraint batch_input_of foreign key (batch_id) references batch (batch_id),
  constraint batch_input_from foreign key (producer_batch_id) references batch (batch_id)
) engine = InnoDB, character set utf8mb4, collate utf8mb4_bin;

create table if not exists batch_output (
  batch_id       bigint not null,
  table_name     varchar(300) not null,
  rollback_form  varchar(20) not null default 'delete',
  primary key (batch_id, table_name),
  key batch_output_table (table_name),
  constraint batch_output_of foreign key (batch_id) references batch (batch_id)
) engine = InnoDB, character set utf8mb4, collate utf8mb4_bin;

create table if not exists check_result (
  batch_id    bigint not null,
  n           int not null,
  name        text not null,
  severity    varchar(20) not null,
  expected    text not null,
  actual      text,
  passed      boolean not null,
  checked_at  datetime(6) not null default current_timestamp(6),
  primary key (batch_id, n),
  constraint check_result_of foreign key (batch_id) references batch (batch_id)
) engine = InnoDB, character set utf8mb4, collate utf8mb4_bin;

create table if not exists rejected_row (
  batch_id     bigint not null,
  stage        int not null,
  chunk        int not null,
  n            int not null,
  row_key      text,
  row_data     longtext,               -- its columns as JSON
  error        longtext,
  rejected_at  datetime(6) not null default current_timestamp(6),
  primary key (batch_id, stage, chunk, n),
  constraint rejected_row_of foreign key (batch_id) references batch (batch_id)
) engine = InnoDB, character set utf8mb4, collate utf8mb4_bin;

-- The files of an acquisition `from.files`. Not garbage while they may be read again: a published one is never read twice.
create table if not exists source_file (
  batch_id  bigint not null,
  n         int not null,                     -- its chunk
  name      text not null,                    -- relative to the project's folder
  size      bigint,                           -- bytes as they lie there; null: not read yet
  sha256    varchar(64),
  primary key (batch_id, n),
  constraint source_file_batch foreign key (batch_id) references batch (batch_id)
) engine = InnoDB, character set utf8mb4, collate utf8mb4_bin;

-- Rows that the query of a task gave, as text: of each chunk first what stands above rows, then they.
create table if not exists output_part (
  batch_id  bigint not null,
  stage     int not null,
  chunk     int not null,
  n         int not null,
  body      longtext not null,
  primary key (batch_id, stage, chunk, n),
  constraint output_part_of foreign key (batch_id) references batch (batch_id)
) engine = InnoDB, character set utf8mb4, collate utf8mb4_bin;

create table if not exists event (
  event_id      bigint not null auto_increment primary key,
  batch_id      bigint,
  load_name     varchar(255) not null,
  what          varchar(255) not null,        -- opened, fenced, rolled_back, published, forced, held, resumed, adopted, …
  requested_by  text,
  reason        text,
  happened_at   datetime(6) not null default current_timestamp(6),
  key event_by_batch (batch_id)
) engine = InnoDB, character set utf8mb4, collate utf8mb4_bin;

create or replace view job_control as
select load_name,
       case when state in ('running', 'checking', 'rolling_back', 'retracting') then 'running'
            when state = 'published' then 'finished'
            else 'error' end as status,
       batch_id, started_at, finished_at, rows_written, error
from batch b
where batch_id = (select max(l.batch_id) from batch l where l.load_name = b.load_name);

create or replace view published_batch as
select batch_id, load_name, kind, window_from, window_to, started_at, finished_at, rows_read, rows_written
from batch
where state = 'published';
