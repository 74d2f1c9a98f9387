-- The copy, as those who read it want it: names instead of numbers, the reasons of a test in one text.
create table maker (
  id    int primary key,
  name  varchar(40) not null
);
create table model (
  id     int primary key,
  maker  varchar(40) not null,
  name   varchar(40) not null
);
create table vehicle (
  id             int primary key,
  maker          varchar(40) not null,
  model          varchar(40) not null,
  plate          varchar(10) not null,
  first_used_on  date
);
create table test (
  id          int primary key,
  vehicle_id  int not null,
  tested_on   date not null,
  mileage     int,
  passed      boolean not null,
  reasons     varchar(1000)
);
