/** Acquisition between all pairs of databases, each against one pipe of their own clients. */
import { measureAcquisition, pipe, type Pair } from '../acquisition.ts';
import { SERVERS, type Benchmark, type ServerName } from '../benchmark.ts';

const PRINTS: Record<ServerName, string> = {
  postgres: 'psql COPY TO',
  mysql: 'mysql --batch --quick',
  mariadb: 'mysql --batch --quick',
};
const READS: Record<ServerName, string> = {
  postgres: 'psql COPY FROM',
  mysql: 'mysql LOAD DATA LOCAL',
  mariadb: 'mysql LOAD DATA LOCAL',
};

const pairs: Pair[] = SERVERS.flatMap((from) => SERVERS.map((to) => [from, to] as const));

const byPipe = (pair: Pair): Benchmark => ({
  name: `acquire-${pair[0]}-${pair[1]}`,
  servers: pair,
  what: `acquisition of the flights, start to publish; ${PRINTS[pair[0]]} | ${READS[pair[1]]}, one pipe`,
  aim: 1.15,
  aimOn: 'ratio',
  // As docs/mysql.md recommends for MariaDB's default, innodb_autoinc_lock_mode = 1: two write into a table one after the other.
  measure: (bench) => measureAcquisition(bench, pair, pipe(pair), pair[1] === 'mariadb' ? 1 : bench.lanes),
});

const NATIVE: Pair = ['postgres', 'postgres'];

export const acquirePairs: Benchmark[] = [
  ...pairs.map(byPipe),
  {
    ...byPipe(NATIVE),
    name: 'acquire-postgres-postgres-one-lane',
    what: 'the same with one lane: one stream against one pipe',
    measure: (bench) => measureAcquisition(bench, NATIVE, pipe(NATIVE), 1),
  },
];
