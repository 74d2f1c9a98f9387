-- What the source looks like. `waybill dev` makes a database from this file when SOURCE_URL is not set: sample rows and all.
create table sale (
  sale_id bigint not null auto_increment primary key,
  sold_at datetime(6) not null, -- UTC
  customer varchar(100) not null,
  product varchar(100) not null,
  quantity int not null,
  price decimal(10, 2) not null
);

insert into sale (sold_at, customer, product, quantity, price)
with recursive fifty (n) as (select 0 union all select n + 1 from fifty where n < 49),
     numbers (n) as (select 1 + a.n + 50 * b.n from fifty a cross join fifty b where b.n < 40)
select timestampadd(minute, 20 * n, '2026-01-01 08:00:00'),
       concat('Customer ', n % 97),
       elt(1 + n % 4, 'apple', 'bread', 'cheese', 'dates'),
       1 + n % 5,
       elt(1 + n % 4, 0.40, 2.90, 5.50, 3.20)
from numbers
order by n;
