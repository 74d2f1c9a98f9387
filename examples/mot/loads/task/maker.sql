-- Updates, then inserts: done twice, they change nothing. Before the first session everything is new.
update maker c join mot.maker m on m.id = c.id
set c.name = m.name
where m.last_updated_on > coalesce(:last_load_at, timestamp '1970-01-01 00:00:01');

insert into maker (id, name)
select m.id, m.name
from mot.maker m left join maker c on c.id = m.id
where c.id is null and m.last_updated_on <= :load_at;
