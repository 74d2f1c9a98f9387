-- The newest version of each airport that arrived. Versions pile up; core.airport_current shows the latest.
insert into core.airport (iata, name, city, state, country, latitude, longitude, updated_at, batch_id)
select iata, name, city, state, country, latitude, longitude, updated_at, :batch_id
from (select a.*, row_number() over (partition by a.iata order by a.updated_at desc) as age
      from {{ acq.airport }} a) version
where age = 1
