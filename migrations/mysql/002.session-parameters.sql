-- A run that goes on in a shared window of a session has the parameters that the window was begun with. Each statement may be run
-- again, and only MariaDB knows "add column if not exists": the column is looked for first.

set @missing = (select count(*) = 0 from information_schema.columns
  where table_schema = database() and table_name = 'session_window' and column_name = 'params');

set @change = if(@missing, 'alter table session_window add column params longtext', 'do 0');

prepare waybill_change from @change;

execute waybill_change;

deallocate prepare waybill_change;
