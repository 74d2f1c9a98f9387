-- A start does not read a file again that is, by what the file system says, the one that was read.

alter table source_file add column file_state text;  -- inode, size, time of writing, time of change; without the last: not to be relied on
