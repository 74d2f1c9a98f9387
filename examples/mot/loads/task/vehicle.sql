update vehicle c
join mot.vehicle v on v.id = c.id
join mot.model m on m.id = v.model_id
join mot.maker k on k.id = m.maker_id
set c.maker = k.name, c.model = m.name, c.plate = v.plate, c.first_used_on = v.first_used_on
where v.id >= :from and v.id < :to
  and greatest(v.last_updated_on, m.last_updated_on, k.last_updated_on)
      > coalesce(:last_load_at, timestamp '1970-01-01 00:00:01');

insert into vehicle (id, maker, model, plate, first_used_on)
select v.id, k.name, m.name, v.plate, v.first_used_on
from mot.vehicle v
join mot.model m on m.id = v.model_id
join mot.maker k on k.id = m.maker_id
left join vehicle c on c.id = v.id
where v.id >= :from and v.id < :to and c.id is null and v.last_updated_on <= :load_at;
