-- One row for each batch of flights, route and day, with nothing in it but counts and sums: rows of several batches add up,
-- so a batch that arrives late, or is taken back, leaves the others as they are. services.route_delay_by_day adds them.
insert into services.route_delay (
  flight_batch_id, origin, destination, flight_day, flights, late_flights, delay_minutes, distance_miles, batch_id)
select f.batch_id, f.origin, f.destination, f.flight_day,
       count(*), sum(f.delay_minutes > 15), sum(f.delay_minutes), sum(f.distance_miles), :batch_id
from {{ core.flight }} f
group by f.batch_id, f.origin, f.destination, f.flight_day
