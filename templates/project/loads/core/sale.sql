-- One chunk: the sales of one part of the snapshot. {{ acq.sale }} is cut to it, :batch_id stamps every row.
insert into core.sale (sale_id, sold_at, day_sold, customer, product, quantity, amount, batch_id)
select s.sale_id, s.sold_at, cast(s.sold_at as date), lower(s.customer), s.product, s.quantity, s.quantity * s.price, :batch_id
from {{ acq.sale }} s
