-- What people read: published batches only. A batch that is being loaded, or was taken back, is not in these views. They read
-- waybill.published_batch, so run `waybill migrate` first.
create view core.airport_current as
select distinct on (iata) iata, name, city, state, country, latitude, longitude, updated_at, batch_id
from core.airport
where batch_id in (select batch_id from waybill.published_batch)
order by iata, batch_id desc;

create view services.route_delay_by_day as
select origin, destination, flight_day,
       sum(flights) as flights,
       sum(late_flights) as late_flights,
       sum(delay_minutes) as delay_minutes,
       round(sum(delay_minutes) / sum(flights), 1) as average_delay_minutes
from services.route_delay
where batch_id in (select batch_id from waybill.published_batch)
group by origin, destination, flight_day;
