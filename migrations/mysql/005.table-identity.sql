-- An output that another table took the place of, or that was emptied, while a batch wrote to it, is noticed. Each statement may be run
-- again, as in 002.

set @missing = (select count(*) = 0 from information_schema.columns
  where table_schema = database() and table_name = 'batch_output' and column_name = 'relation_id');

set @change = if(@missing, 'alter table batch_output add column relation_id bigint, add column storage_id bigint, add column unreached boolean not null default false', 'do 0');

prepare waybill_change from @change;

execute waybill_change;

deallocate prepare waybill_change;

-- The same of a table whose batches a load consumes.
create table if not exists batch_consumed (
  batch_id     bigint not null,
  table_name   varchar(300) not null,
  relation_id  bigint not null,
  storage_id   bigint not null,
  primary key (batch_id, table_name),
  constraint batch_consumed_of foreign key (batch_id) references batch (batch_id)
) engine = InnoDB, character set utf8mb4, collate utf8mb4_bin;
