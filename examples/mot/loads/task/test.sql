update test c
join mot.test t on t.id = c.id
left join (
  select j.test_id, group_concat(r.name order by r.id separator '; ') as reasons,
    max(greatest(j.last_updated_on, r.last_updated_on)) as last_updated_on
  from mot.rejection j join mot.reason r on r.id = j.reason_id
  where j.test_id >= :from and j.test_id < :to
  group by j.test_id
) w on w.test_id = t.id
set c.mileage = t.mileage, c.passed = t.passed, c.reasons = w.reasons
where t.id >= :from and t.id < :to
  and greatest(t.last_updated_on, coalesce(w.last_updated_on, t.last_updated_on))
      > coalesce(:last_load_at, timestamp '1970-01-01 00:00:01');

insert into test (id, vehicle_id, tested_on, mileage, passed, reasons)
select t.id, t.vehicle_id, t.tested_on, t.mileage, t.passed, group_concat(r.name order by r.id separator '; ')
from mot.test t
left join mot.rejection j on j.test_id = t.id
left join mot.reason r on r.id = j.reason_id
left join test c on c.id = t.id
where t.id >= :from and t.id < :to and c.id is null and t.last_updated_on <= :load_at
group by t.id, t.vehicle_id, t.tested_on, t.mileage, t.passed;
