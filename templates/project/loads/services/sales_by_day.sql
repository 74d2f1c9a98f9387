-- Counts and sums for each batch of sales: rows of several batches add up, so one that comes late, or is taken back, leaves the
-- others as they are.
insert into services.sales_by_day (day_sold, product, sales, quantity, amount, batch_id)
select s.day_sold, s.product, count(*), sum(s.quantity), sum(s.amount), :batch_id
from {{ core.sale }} s
group by s.batch_id, s.day_sold, s.product
