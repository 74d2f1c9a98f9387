-- Lanes cut and read a stage by what it was planned with, whatever becomes of the tables meanwhile.

alter table stage add column planned_with text;  -- JSON: the columns of its key, and of an acquisition those of the source; null: nothing cuts it
