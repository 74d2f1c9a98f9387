-- What changes after :load_at may come now already, and once more with the next session: an update done twice is done once.
update model c
join mot.model m on m.id = c.id
join mot.maker k on k.id = m.maker_id
set c.maker = k.name, c.name = m.name
where greatest(m.last_updated_on, k.last_updated_on) > coalesce(:last_load_at, timestamp '1970-01-01 00:00:01');

insert into model (id, maker, name)
select m.id, k.name, m.name
from mot.model m join mot.maker k on k.id = m.maker_id left join model c on c.id = m.id
where c.id is null and m.last_updated_on <= :load_at;
