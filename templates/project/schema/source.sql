-- What the source looks like. `waybill dev` makes a database from this file when SOURCE_URL is not set: sample rows and all.
create table sale (
  sale_id bigint generated always as identity primary key,
  sold_at timestamptz not null,
  customer text not null,
  product text not null,
  quantity integer not null,
  price numeric(10, 2) not null
);

insert into sale (sold_at, customer, product, quantity, price)
select timestamptz '2026-01-01 08:00+00' + n * interval '20 minutes',
       'Customer ' || n % 97,
       (array['apple', 'bread', 'cheese', 'dates'])[1 + n % 4],
       1 + n % 5,
       (array[0.40, 2.90, 5.50, 3.20])[1 + n % 4]
from generate_series(1, 2000) n;
