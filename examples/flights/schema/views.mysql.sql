-- What people read: published batches only. A batch that is being loaded, or was taken back, is not in these views. They read
-- waybill.published_batch, so run `waybill migrate` first.
create view core.airport_current as
select iata, name, city, state, country, latitude, longitude, updated_at, batch_id
from (select a.*, row_number() over (partition by iata order by batch_id desc) as age
      from core.airport a
      where batch_id in (select batch_id from waybill.published_batch)) version
where age = 1;

create view services.route_delay_by_day as
select origin, destination, flight_day,
       sum(flights) as flights,
       sum(late_flights) as late_flights,
       sum(delay_minutes) as delay_minutes,
       round(sum(delay_minutes) / sum(flights), 1) as average_delay_minutes
from services.route_delay
where batch_id in (select batch_id from waybill.published_batch)
group by origin, destination, flight_day;
