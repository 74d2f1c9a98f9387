-- The warehouse of the example on MySQL and MariaDB, where a schema is a database. Every table has the batch that brought each
-- row.
--
-- InnoDB keeps rows in the order of the primary key. Where that begins with batch_id, a batch is written behind all others,
-- read as one stretch, and taken back as one; chunks are cut along it.
create database acq character set utf8mb4 collate utf8mb4_bin;
create database core character set utf8mb4 collate utf8mb4_bin;
create database services character set utf8mb4 collate utf8mb4_bin;

-- Landing tables: the columns of the source, and two of the load. Times are UTC, to the microsecond.
create table acq.flight (
  flight_id bigint not null,
  date datetime(6) not null,
  delay int not null,
  distance int not null,
  origin varchar(10) not null,
  destination varchar(10) not null,
  recorded_at datetime(6) not null,
  batch_id bigint not null,
  ngdw_id bigint not null auto_increment primary key,
  key flight_batch (batch_id)
);

create table acq.airport (
  iata varchar(10) not null,
  name varchar(200) not null,
  city varchar(200),
  state varchar(10),
  country varchar(100) not null,
  latitude double not null,
  longitude double not null,
  updated_at datetime(6) not null,
  batch_id bigint not null,
  ngdw_id bigint not null auto_increment primary key,
  key airport_batch (batch_id)
);

create table core.flight (
  flight_id bigint not null,
  flight_day date not null,
  departs_at datetime(6) not null,
  origin varchar(10) not null,
  origin_state varchar(10),
  destination varchar(10) not null,
  destination_state varchar(10),
  delay_minutes int not null,
  distance_miles int not null,
  batch_id bigint not null,
  primary key (batch_id, flight_id)
);

create table core.airport (
  iata varchar(10) not null,
  name varchar(200) not null,
  city varchar(200),
  state varchar(10),
  country varchar(100) not null,
  latitude double not null,
  longitude double not null,
  updated_at datetime(6) not null,
  batch_id bigint not null,
  primary key (batch_id, iata)
);

create table services.route_delay (
  flight_batch_id bigint not null,
  origin varchar(10) not null,
  destination varchar(10) not null,
  flight_day date not null,
  flights bigint not null,
  late_flights bigint not null,
  delay_minutes bigint not null,
  distance_miles bigint not null,
  batch_id bigint not null,
  primary key (batch_id, flight_batch_id, origin, destination, flight_day)
);
