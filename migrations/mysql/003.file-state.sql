-- A start does not read a file again that is, by what the file system says, the one that was read. Each statement may be run again, as
-- in 002.

set @missing = (select count(*) = 0 from information_schema.columns
  where table_schema = database() and table_name = 'source_file' and column_name = 'file_state');

set @change = if(@missing, 'alter table source_file add column file_state varchar(100)', 'do 0');

prepare waybill_change from @change;

execute waybill_change;

deallocate prepare waybill_change;
