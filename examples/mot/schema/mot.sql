-- The source: makes, models, vehicles, their tests, and why they were rejected.
create table maker (
  id               int primary key,
  name             varchar(40) not null,
  last_updated_on  timestamp(6) not null default current_timestamp(6) on update current_timestamp(6),
  key (last_updated_on)
);
create table model (
  id               int primary key,
  maker_id         int not null,
  name             varchar(40) not null,
  last_updated_on  timestamp(6) not null default current_timestamp(6) on update current_timestamp(6),
  key (last_updated_on)
);
create table vehicle (
  id               int primary key,
  model_id         int not null,
  plate            varchar(10) not null,
  first_used_on    date,
  last_updated_on  timestamp(6) not null default current_timestamp(6) on update current_timestamp(6)
);
create table test (
  id               int primary key,
  vehicle_id       int not null,
  tested_on        date not null,
  mileage          int,
  passed           boolean not null,
  last_updated_on  timestamp(6) not null default current_timestamp(6) on update current_timestamp(6)
);
create table reason (
  id               int primary key,
  name             varchar(60) not null,
  last_updated_on  timestamp(6) not null default current_timestamp(6) on update current_timestamp(6)
);
-- Whoever takes one back says so at its test: what is gone has no time of change.
create table rejection (
  test_id          int not null,
  reason_id        int not null,
  last_updated_on  timestamp(6) not null default current_timestamp(6) on update current_timestamp(6),
  primary key (test_id, reason_id)
);
