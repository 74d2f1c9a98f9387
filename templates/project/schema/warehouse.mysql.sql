-- The warehouse's tables. Waybill makes its control tables itself (database waybill), and never these: run this file once on your
-- own warehouse. `waybill dev` does so in the one that it makes when WAREHOUSE_URL is not set. A schema is a database here.
create database acq character set utf8mb4 collate utf8mb4_bin;
create database core character set utf8mb4 collate utf8mb4_bin;
create database services character set utf8mb4 collate utf8mb4_bin;

-- A landing table: the columns of the source, and two of the load. Times are UTC.
create table acq.sale (
  sale_id bigint not null,
  sold_at datetime(6) not null,
  customer varchar(100) not null,
  product varchar(100) not null,
  quantity int not null,
  price decimal(10, 2) not null,
  batch_id bigint not null,
  ngdw_id bigint not null auto_increment primary key,
  key sale_batch (batch_id)
);

-- Outputs: every row has the batch that brought it. InnoDB keeps rows in the order of the primary key: where that begins with
-- batch_id, a batch is written behind all others, and taken back as one stretch.
create table core.sale (
  batch_id bigint not null,
  sale_id bigint not null,
  sold_at datetime(6) not null,
  day_sold date not null,
  customer varchar(100) not null,
  product varchar(100) not null,
  quantity int not null,
  amount decimal(12, 2) not null,
  primary key (batch_id, sale_id)
);

create table services.sales_by_day (
  batch_id bigint not null,
  day_sold date not null,
  product varchar(100) not null,
  sales bigint not null,
  quantity bigint not null,
  amount decimal(14, 2) not null,
  primary key (batch_id, day_sold, product)
);
