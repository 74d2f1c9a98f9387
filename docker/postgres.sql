-- Run once, when the volume is new: the two databases of examples/flights, with its tables. Fill the source with
-- examples/flights/fill-source.ts, or put rows of your own into it.
create database source;
create database warehouse;
\connect source
\include /schema/source.sql
\connect warehouse
\include /schema/warehouse.sql
