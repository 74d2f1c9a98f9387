-- One chunk: the flights of one part of the snapshot, each with the states that it connects.
insert into core.flight (
  flight_id, flight_day, departs_at, origin, origin_state, destination, destination_state,
  delay_minutes, distance_miles, batch_id)
with airport as (
  -- Published versions, and the ones that the stage before this one wrote.
  select iata, state
  from (select a.iata, a.state, row_number() over (partition by a.iata order by a.batch_id desc) as age
        from {{ core.airport }} a) version
  where age = 1
)
select f.flight_id, cast(f.date as date), f.date, f.origin, o.state, f.destination, d.state,
       f.delay, f.distance, :batch_id
from {{ acq.flight }} f
left join airport o on o.iata = f.origin
left join airport d on d.iata = f.destination
