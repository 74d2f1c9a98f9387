-- Run once, when the volume is new: the two databases of examples/flights with its tables, and some flights in the source. (The
-- real ones of `npm run demo` come with a package for development, which is not in the image.)
create database source;
create database warehouse;

\connect source
\include /schema/source.sql
alter table flight add primary key (flight_id);

insert into airport (iata, name, city, state, country, latitude, longitude, updated_at)
select iata, name, city, state, 'USA', latitude, longitude, '2026-01-01 00:00:00+00'
from (values
  ('ATL', 'Hartsfield-Jackson Atlanta International', 'Atlanta', 'GA', 33.64, -84.43),
  ('BOS', 'Logan International', 'Boston', 'MA', 42.36, -71.01),
  ('DEN', 'Denver International', 'Denver', 'CO', 39.86, -104.67),
  ('DFW', 'Dallas-Fort Worth International', 'Dallas', 'TX', 32.90, -97.04),
  ('DTW', 'Detroit Metropolitan', 'Detroit', 'MI', 42.21, -83.35),
  ('IAH', 'George Bush Intercontinental', 'Houston', 'TX', 29.98, -95.34),
  ('JFK', 'John F. Kennedy International', 'New York', 'NY', 40.64, -73.78),
  ('LAS', 'Harry Reid International', 'Las Vegas', 'NV', 36.08, -115.15),
  ('LAX', 'Los Angeles International', 'Los Angeles', 'CA', 33.94, -118.41),
  ('MIA', 'Miami International', 'Miami', 'FL', 25.79, -80.29),
  ('MSP', 'Minneapolis-St. Paul International', 'Minneapolis', 'MN', 44.88, -93.22),
  ('ORD', 'O''Hare International', 'Chicago', 'IL', 41.98, -87.90),
  ('PHL', 'Philadelphia International', 'Philadelphia', 'PA', 39.87, -75.24),
  ('PHX', 'Sky Harbor International', 'Phoenix', 'AZ', 33.43, -112.01),
  ('SEA', 'Seattle-Tacoma International', 'Seattle', 'WA', 47.45, -122.31),
  ('SFO', 'San Francisco International', 'San Francisco', 'CA', 37.62, -122.37)
) as a (iata, name, city, state, latitude, longitude);

-- The day after the last one: so many flights between any two airports, up to 20 minutes early, and more or less late.
create procedure add_day(flights integer) language sql as $$
  with airports as (
    select *, row_number() over (order by iata) - 1 as n, count(*) over () as of from airport
  ), planned as materialized (
    select coalesce((select max(date)::date + 1 from flight), '2026-01-01') + i * interval '1 day' / flights as date,
      floor(random() * of) as origin, floor(random() * (of - 1)) + 1 as further, of
    from generate_series(0, flights - 1) as i, (select count(*) as of from airport) as a
  )
  insert into flight (date, delay, distance, origin, destination)
  select date, random() * random() * 200 - 20,
    3959 * radians(acosd(sind(o.latitude) * sind(d.latitude)
      + cosd(o.latitude) * cosd(d.latitude) * cosd(o.longitude - d.longitude))),
    o.iata, d.iata
  from planned p
  join airports o on o.n = p.origin
  join airports d on d.n = (p.origin + p.further)::bigint % p.of
  order by date
$$;
do $$ begin for day in 1..20 loop call add_day(1000); end loop; end $$;

\connect warehouse
\include /schema/warehouse.sql
