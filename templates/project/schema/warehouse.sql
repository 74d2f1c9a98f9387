-- The warehouse's tables. Waybill makes its control tables itself (schema waybill), and never these: run this file once on
-- your own warehouse. `waybill dev` does so in the one that it makes when WAREHOUSE_URL is not set.
create schema acq;
create schema core;
create schema services;

-- A landing table: the columns of the source, and two of the load. A sequence of its own, so that the table which takes this
-- one's name while a snapshot is processed goes on counting.
create sequence acq.sale_ngdw_id;
create table acq.sale (
  sale_id bigint not null,
  sold_at timestamptz not null,
  customer text not null,
  product text not null,
  quantity integer not null,
  price numeric(10, 2) not null,
  batch_id bigint not null,
  ngdw_id bigint not null default nextval('acq.sale_ngdw_id')
);
create index sale_batch on acq.sale using brin (batch_id) with (autosummarize = on);

-- Outputs: every row has the batch that brought it, and an index finds the rows of one batch.
create table core.sale (
  sale_id bigint not null,
  sold_at timestamptz not null,
  day_sold date not null,
  customer text not null,
  product text not null,
  quantity integer not null,
  amount numeric(12, 2) not null,
  batch_id bigint not null
);
create index sale_batch on core.sale using brin (batch_id) with (autosummarize = on);

create table services.sales_by_day (
  day_sold date not null,
  product text not null,
  sales bigint not null,
  quantity bigint not null,
  amount numeric(14, 2) not null,
  batch_id bigint not null
);
create index sales_by_day_batch on services.sales_by_day using brin (batch_id) with (autosummarize = on);
