-- The newest version of each airport that arrived. Versions pile up; core.airport_current shows the latest.
insert into core.airport (iata, name, city, state, country, latitude, longitude, updated_at, batch_id)
select distinct on (a.iata) a.iata, a.name, a.city, a.state, a.country, a.latitude, a.longitude, a.updated_at, :batch_id
from {{ acq.airport }} a
order by a.iata, a.updated_at desc
