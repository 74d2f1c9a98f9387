-- An output that another table took the place of, or that was emptied, while a batch wrote to it, is noticed.

alter table batch_output
  add column relation_id bigint, -- which table it was when the batch was planned; null: not known
  add column storage_id bigint,  -- its file: a rewrite gives it another, and so does TRUNCATE
  add column unreached boolean not null default false; -- rolled back, though rows may stand in a table that was not found

-- The same of a table whose batches a load consumes.
create table batch_consumed (
  batch_id     bigint not null references batch,
  table_name   text not null,
  relation_id  bigint not null,
  storage_id   bigint not null,
  primary key (batch_id, table_name)
);
