import type { BrokenProject } from '../project-folder.ts';

/** Loads that only a server of MySQL or MariaDB takes. */
const MYSQL_TASKS = {
  'loads/acquisition/flight.yaml': null,
  'loads/core/flight.yaml': null,
  'loads/task/zoned.yaml':
    'kind: task\nconnection: mot\nsession_params: { time_zone: default }\nsql: update `a b` set c = 1\n',
  'loads/task/quoted.yaml':
    'kind: task\nconnection: mot\noutputs: ["`core`.`x y`"]\nsql: insert into `core`.`x y` (batch_id) values (:batch_id)\n',
};

/** Variables of the environment, and URLs. */
export const environment: BrokenProject[] = [
  {
    title: 'a variable that is not set',
    files: {
      'waybill.yaml': `name: flights
connections:
  source:
    url: \${SORCE_URL}
  warehouse:
    url: \${WAREHOUSE_URL}
sessions:
  nightly: { loads: [acquisition.*, core.*] }
`,
    },
    expected: ['waybill.yaml:4:10: the environment variable `SORCE_URL` is not set'],
  },
  {
    title: 'a variable within a text',
    files: {
      'waybill.yaml': `name: flights
connections:
  source:
    url: postgres://me:\${SECRET_OF_SOURCE}@localhost/db
  warehouse:
    url: \${WAREHOUSE_URL}
sessions:
  nightly: { loads: [acquisition.*, core.*] }
`,
    },
    expected: ['waybill.yaml:4:24: the environment variable `SECRET_OF_SOURCE` is not set'],
  },
  {
    title: 'a reference that is none',
    files: {
      'waybill.yaml': `name: flights
connections:
  source:
    url: \${SOURCE-URL}
  warehouse:
    url: \${WAREHOUSE_URL}
sessions:
  nightly: { loads: [acquisition.*, core.*] }
`,
    },
    expected: ['waybill.yaml:4:10: this `${…}` does not name an environment variable'],
  },
  {
    title: 'a reference in a reference',
    files: {
      'waybill.yaml': `name: flights
connections:
  source:
    url: postgres://\${HOST:-\${SOURCE_HOST}}/db
  warehouse:
    url: \${WAREHOUSE_URL}
sessions:
  nightly: { loads: [acquisition.*, core.*] }
`,
    },
    expected: ['waybill.yaml:4:21: a `${…}` cannot stand in the default of another one'],
  },
  {
    title: 'a port that there is not',
    files: {
      'waybill.yaml': `name: flights
connections:
  source:
    url: postgres://me:hush@[::1]:99999/db
  warehouse:
    url: \${WAREHOUSE_URL}
sessions:
  nightly: { loads: [acquisition.*, core.*] }
`,
    },
    expected: ['waybill.yaml:4:10: the port in `url` is above 65535'],
  },
  {
    title: 'control tables in a schema of the server',
    files: {
      'waybill.yaml': `name: flights
connections:
  source:
    url: \${SOURCE_URL}
    control_schema: pg_catalog
  warehouse:
    url: \${WAREHOUSE_URL}
    control_schema: information_schema
sessions:
  nightly: { loads: [acquisition.*, core.*] }
`,
    },
    expected: [
      "waybill.yaml:5:21: `control_schema` cannot be `pg_catalog`: that is a server's own",
      "waybill.yaml:8:21: `control_schema` cannot be `information_schema`: that is a server's own",
    ],
  },
  {
    title: 'a URL of another kind',
    files: {
      'waybill.yaml': `name: flights
connections:
  source:
    url: oracle://me:hush@host/db
  warehouse:
    url: \${WAREHOUSE_URL}
sessions:
  nightly: { loads: [acquisition.*, core.*] }
`,
    },
    expected: ['waybill.yaml:4:10: `url` must begin with postgres://, mysql:// or mariadb://'],
  },
  {
    title: 'a URL that cannot be read',
    files: {
      'waybill.yaml': `name: flights
connections:
  source:
    url: \${BROKEN_URL}
  warehouse:
    url: \${WAREHOUSE_URL}
sessions:
  nightly: { loads: [acquisition.*, core.*] }
`,
    },
    expected: ['waybill.yaml:4:10: `url` cannot be read'],
  },
  {
    title: 'an empty URL',
    files: {
      'waybill.yaml': `name: flights
connections:
  source:
    url: \${EMPTY}
  warehouse:
    url: \${WAREHOUSE_URL}
sessions:
  nightly: { loads: [acquisition.*, core.*] }
`,
    },
    expected: ['waybill.yaml:4:10: `url` is empty: so is the environment variable `EMPTY`'],
  },
  {
    title: 'a number from the environment that is none',
    files: {
      'waybill.yaml': `name: flights
connections:
  source:
    url: \${SOURCE_URL}
    max_connections: \${WAREHOUSE_URL}
  warehouse:
    url: \${WAREHOUSE_URL}
sessions:
  nightly: { loads: [acquisition.*, core.*] }
`,
    },
    expected: ['waybill.yaml:5:22: `max_connections` must be a whole number, got `${WAREHOUSE_URL}`'],
  },
  {
    title: 'a variable in SQL',
    files: {
      'loads/services/delay.yaml': `kind: services
connection: warehouse
consumes: [core.flight]
stages:
  - name: delays
    sql: insert into \${SCHEMA}.delay select id, :batch_id from {{ core.flight }} f
outputs: [mart.delay]
`,
    },
    expected: ['loads/services/delay.yaml:6:22: `${…}` is not filled in inside SQL'],
  },
  {
    title: 'a URL given where text is due elsewhere',
    files: {
      'waybill.yaml': `name: flights
task_queue: [postgres://u:hush@h/d]
connections:
  source:
    url: \${SOURCE_URL}
  warehouse:
    url: \${WAREHOUSE_URL}
sessions:
  nightly: { loads: [acquisition.*, core.*] }
`,
    },
    expected: ['waybill.yaml:2:13: `task_queue` must be text, got a list'],
  },
  {
    title: 'a URL of Java',
    files: {
      'waybill.yaml': `name: flights
connections:
  source:
    url: \${SOURCE_URL}
  warehouse:
    url: jdbc:postgresql://me:hush@localhost/x
sessions:
  nightly: { loads: [acquisition.*, core.*] }
`,
    },
    expected: ['waybill.yaml:6:10: `url` is written as Java does'],
  },
  {
    title: 'a port that is none',
    files: {
      'waybill.yaml': `name: flights
connections:
  source:
    url: \${SOURCE_URL}
  warehouse:
    url: postgres://me:hush@localhost:port/x
sessions:
  nightly: { loads: [acquisition.*, core.*] }
`,
    },
    expected: ['waybill.yaml:6:10: `url` cannot be read'],
  },
  {
    title: 'a variable without braces',
    files: {
      'waybill.yaml': `name: flights
connections:
  source:
    url: \${SOURCE_URL}
  warehouse:
    url: $WAREHOUSE_URL
sessions:
  nightly: { loads: [acquisition.*, core.*] }
`,
    },
    expected: ['waybill.yaml:6:10: `$WAREHOUSE_URL` is not filled in: a variable stands in braces'],
  },
  ...[
    { variable: 'in its password', url: 'mysql://etl:${MOT_PASSWORD}@localhost/mot', column: 22 },
    { variable: 'for all of it', url: '${MOT_PASSWORD}', column: 10 },
  ].map(({ variable, url, column }) => ({
    title: `a variable that is not set in a URL of MySQL, ${variable}, beside loads that are right there`,
    files: {
      ...MYSQL_TASKS,
      'waybill.yaml': `name: mot\nconnections:\n  mot:\n    url: ${url}\n`,
    },
    expected: [`waybill.yaml:4:${column}: the environment variable \`MOT_PASSWORD\` is not set`],
  })),
  {
    title: 'an unknown key beside loads of MySQL, of which one is wrong, too',
    files: {
      ...MYSQL_TASKS,
      'waybill.yaml': 'name: mot\nconnections:\n  mot: { url: mysql://etl@localhost/mot }\nbanana: 1\n',
      'loads/task/wrong.yaml':
        "kind: task\nconnection: mot\nsession_params: { sql_mode: '' }\nsql: update `a b` set c = 1\n",
    },
    expected: [
      'loads/task/wrong.yaml:3:19: `session_params` cannot set `sql_mode`: it changes how SQL is read, and whether values that do not fit are refused',
      'waybill.yaml:4:1: unknown key `banana`',
    ],
  },
];
