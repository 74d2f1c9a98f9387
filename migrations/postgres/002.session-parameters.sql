-- A run that goes on in a shared window of a session has the parameters that the window was begun with.

alter table session_window add column params text;  -- null: begun before they were kept
