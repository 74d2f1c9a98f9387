-- Lanes cut and read a stage by what it was planned with, whatever becomes of the tables meanwhile. Each statement may be run again, as
-- in 002.

set @missing = (select count(*) = 0 from information_schema.columns
  where table_schema = database() and table_name = 'stage' and column_name = 'planned_with');

set @change = if(@missing, 'alter table stage add column planned_with longtext', 'do 0');

prepare waybill_change from @change;

execute waybill_change;

deallocate prepare waybill_change;
