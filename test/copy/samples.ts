/** Types of each family with values at their edges: what a copy may never change without a word. */

export interface Sample {
  /** As SQL writes it. */
  sql: string;
  /** The value, in a form that says it exactly: digits, ISO, hex, bits, JSON, or the text. */
  value: string;
}

export interface SampleType {
  type: string;
  samples: Sample[];
}

const quoted = (type: string, ...values: string[]): SampleType => ({
  type,
  samples: values.map((value) => ({ sql: `'${value.replaceAll("'", "''")}'`, value })),
});

/** Every byte there is. */
const ALL_BYTES = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0')).join('');
const hex = (type: string, prefix: string, ...values: string[]): SampleType => ({
  type,
  samples: values.map((value) => ({ sql: `${prefix}${value}'`, value })),
});

const UUID = '00112233-4455-6677-8899-aabbccddeeff';
const TEXTS = [
  '',
  'plain',
  '{1.239}',
  ' spaces at both ends  ',
  "it's",
  'tab\tline\nreturn\r',
  '😀 é ß 漢字',
  '\\N',
  '\f\v\b',
  '2',
  '{"a":1}',
  'end            ', // what is too long of it are blanks
];
/** More blanks at the end than a `tinytext` and a `text` of MySQL take bytes. */
const BLANKS = [300, 70_000].map((n) => `end${' '.repeat(n)}`);
/** Those that have more than so many characters. */
const longerThan = (most: number, texts = [...TEXTS, ...BLANKS]): string[] =>
  texts.filter((text) => [...text].length > most);
const JSONS = [
  'null',
  '"text with \\"quotes\\" and \\\\ and \\n"',
  '{"a":[1,2.5,{"b":null}],"ü":"😀"}',
  '[9223372036854775807,18446744073709551615,-9223372036854775808]',
  '[0.1,1e300,-2.5e-10]',
];
const LONG = ['0.12345678901234567890123', '12345678901234567890123', '123456789012345678.5'];
const LONG_JSONS = LONG.map((number) => `[${number}]`);
/** Decimals that MySQL computed, and keeps as such inside a JSON: it reads none of these from a text. MariaDB writes one (`value`). */
const COMPUTED_JSONS: Sample[] = [
  {
    sql: `json_array(cast('0.10' as decimal(10,2)), cast('123456789012.345' as decimal(20,3)))`,
    value: '[0.10, 123456789012.345]',
  },
  {
    sql: `json_object('n', json_array(cast('18446744073709551615' as decimal(20,0)), 'text'))`,
    value: '{"n": [18446744073709551615, "text"]}',
  },
  { sql: `json_array(cast('${LONG[0]}' as decimal(40,23)))`, value: `[${LONG[0]}]` },
  {
    sql: `json_object('n', json_array(json_object('v', cast('${LONG[1]}' as decimal(30,0)))))`,
    value: `{"n": [{"v": ${LONG[1]}}]}`,
  },
  { sql: `json_extract(json_array(cast('${LONG[2]}' as decimal(30,1))), '$[0]')`, value: LONG[2]! },
];
/** Those that a float would change. */
export const LONG_COMPUTED_JSONS = COMPUTED_JSONS.slice(2).map(({ value }) => value);

/** Makes the types of a PostgreSQL database's own that stand among `POSTGRES`. */
export const OWN_TYPES = [
  `create type mood as enum ('sad', 'Happy', '2')`,
  `create domain code as text check (value <> '')`,
  'create type place as (name text, n int)',
];

export const POSTGRES: SampleType[] = [
  quoted('smallint', '-32768', '0', '1', '2', '32767'),
  quoted('integer', '-2147483648', '0', '1', '16777217', '2147483647'),
  quoted('bigint', '-9223372036854775808', '1', '9007199254740993', '9223372036854775807'),
  quoted('real', '0', '0.1', '-3.4028235e+38', '1.17549435e-38', '16777216', 'NaN', 'Infinity'),
  quoted('double precision', '0', '0.1', '1.2345678901234567', '1.7976931348623157e+308', '5e-324', 'NaN', '-Infinity'),
  quoted('numeric', '0.1', '12345678901234567890.123456789012345678', '1e-40', '7', 'NaN', 'Infinity'),
  quoted('numeric(12,4)', '0.1234', '-12345678.9999', '5.0000', 'NaN'),
  quoted('numeric(20,0)', '18446744073709551615', '-7', 'NaN'),
  quoted('boolean', 't', 'f'),
  quoted('text', ...TEXTS, ...BLANKS),
  quoted('character varying(10)', 'ten chars!', '', 'end  '),
  quoted('character(5)', 'ab   ', 'fives'),
  hex('bytea', `'\\x`, '', '00', ALL_BYTES, '27225c0a0d09'),
  quoted('bit(1)', '1', '0'),
  quoted('bit(10)', '0000000001', '1010101010', '1111111111'),
  quoted('bit varying', '1', '00101', ''),
  quoted('date', '2026-03-29', '0001-01-01', '9999-12-31', '0044-03-15 BC', 'infinity', '10000-01-01'),
  quoted('time without time zone', '00:00:00', '23:59:59.999999', '24:00:00'),
  quoted('time(0) without time zone', '12:34:56'),
  quoted(
    'timestamp without time zone',
    '2026-03-29 01:30:00.123456',
    '0001-01-01 00:00:00',
    '-infinity',
    '12345-01-01 00:00:00',
    '0044-03-15 12:00:00 BC',
  ),
  quoted('timestamp(0) without time zone', '2026-03-29 01:30:00', '9999-12-31 23:59:59'),
  {
    type: 'timestamp with time zone',
    samples: [
      { sql: `'2026-03-29 01:30:00.123456+05:30'`, value: '2026-03-28 20:00:00.123456' },
      { sql: `'1969-12-31 23:59:59+00'`, value: '1969-12-31 23:59:59' },
      { sql: `'2100-01-01 00:00:00+00'`, value: '2100-01-01 00:00:00' },
      { sql: `'infinity'`, value: 'infinity' },
      { sql: `'12345-01-01 00:00:00+00'`, value: '12345-01-01 00:00:00' },
      { sql: `'0044-03-15 12:00:00+00 BC'`, value: '0044-03-15 12:00:00 BC' },
    ],
  },
  quoted('interval', '1 day 02:00:00', '838:59:59', '-00:00:00.5', '-1 days +02:03:04', '1 year 2 mons', '-7 mons'),
  quoted('json', ...JSONS, ...LONG_JSONS, '{"a":1,"b":2,"a":3}'),
  quoted('jsonb', ...JSONS, ...LONG_JSONS),
  quoted('uuid', UUID),
  quoted('integer[]', '{1,2,NULL}', '{}'),
  quoted('text[]', String.raw`{"a,b",NULL,"NULL","","say \"x\"","back\\\\slash",it's}`, '{{a,b},{c,NULL}}'),
  quoted('inet', '192.168.0.1', '::1'),
  quoted('cidr', '192.168.0.0/24', '::1/128'),
  quoted('macaddr', '08:00:2b:01:02:03'),
  quoted('oid', '4294967295', '1'),
  quoted('xml', '<a b="c">1</a>', '<é/>'),
  quoted('tsvector', "'fat':2 'rat':3"),
  quoted('int4range', '[1,5)', 'empty', '(,7)'),
  quoted('mood', 'sad', 'Happy', '2'),
  quoted('code', 'abc', 'end  '),
  quoted('place', '("a b",1)', '("",-1)'),
  quoted('money', '$1.50'),
  quoted('time with time zone', '12:34:56+02'),
  quoted(
    'numeric(40,35)',
    '0.12345678901234567890123456789012345',
    '-12345.00000000000000000000000000000000001',
    'NaN',
  ),
];

/** Makes the domains among `NARROW`. */
export const DOMAINS = ['create domain amount as numeric(10,2)', 'create domain short as varchar(3)'];

/** Of PostgreSQL, too: what makes another value of a text or a number without a word. */
export const NARROW: SampleType[] = [
  quoted('numeric(5,-2)', '12300'),
  quoted('name', 'plain', 'end  '),
  quoted('"char"', 'x'),
  quoted('numeric(10,2)[]', '{1.24,NULL}'),
  quoted('character varying(3)[]', '{"a  ",abc}'),
  quoted('amount', '0.12', '-7.00'),
  quoted('short', 'a  ', 'abc'),
];

const LISTS = [quoted("enum('sad','Happy','2')", 'sad', 'Happy', '2'), quoted("enum('2','HAPPY','sad')", 'HAPPY', '2')];

export const MYSQL: SampleType[] = [
  quoted('tinyint(1)', '0', '1', '2', '-128'),
  quoted('tinyint', '-128', '0', '1', '127'),
  quoted('tinyint unsigned', '0', '255'),
  quoted('smallint', '-32768', '32767'),
  quoted('smallint unsigned', '0', '65535'),
  quoted('mediumint', '-8388608', '8388607'),
  quoted('mediumint unsigned', '16777215'),
  quoted('int', '-2147483648', '2147483647'),
  quoted('int unsigned', '4294967295', '1'),
  quoted('bigint', '-9223372036854775808', '9223372036854775807', '1'),
  quoted('bigint unsigned', '18446744073709551615', '1'),
  quoted('float', '0.1', '-3.4028235e38', '16777215', '1.17549435e-38'),
  quoted('double', '0.1', '1.2345678901234567', '1.7976931348623157e308', '2.2250738585072014e-308'),
  quoted('float(8,3)', '-12345.125', '0.1', '7'),
  quoted('double(8,3)', '-12345.125', '0.1', '7'),
  quoted('double(12,1)', '12345678901.5', '7'),
  quoted('decimal(65,30)', '99999999999999999999999999999999999.999999999999999999999999999999', '-0.1'),
  quoted('decimal(10,2)', '-99999999.99', '0.10', '5.00'),
  quoted('decimal(12,4)', '0.1234', '-12345678.9999'),
  quoted('decimal(20,0)', '18446744073709551615'),
  quoted('varchar(300)', ...TEXTS),
  quoted('varchar(5)', 'fives', '', '😀 é  '),
  quoted('longtext', ...TEXTS, ...BLANKS),
  quoted('mediumtext', ...TEXTS, ...BLANKS),
  quoted('tinytext', ...TEXTS, `end${' '.repeat(252)}`),
  {
    type: 'text',
    samples: [
      { sql: `concat('end', repeat(' ', 65532))`, value: `end${' '.repeat(65_532)}` },
      { sql: `'after'`, value: 'after' },
      { sql: `concat('nul', char(0), '12')`, value: 'nul\u000012' },
    ],
  },
  quoted('char(5)', 'ab', 'fives'),
  quoted('char(36)', UUID),
  hex('varbinary(300)', `x'`, '', '00', ALL_BYTES),
  hex('tinyblob', `x'`, '', '00', ALL_BYTES.slice(2)),
  hex('blob', `x'`, '', '00', ALL_BYTES),
  hex('mediumblob', `x'`, '', '00', ALL_BYTES),
  hex('longblob', `x'`, '', '00', ALL_BYTES, '27225c0a0d09'),
  hex('binary(4)', `x'`, '00000000', '61620000'),
  hex('binary(16)', `x'`, UUID.replaceAll('-', '')),
  { type: 'bit(1)', samples: ['1', '0'].map((value) => ({ sql: `b'${value}'`, value })) },
  { type: 'bit(10)', samples: ['0000000001', '1111111111'].map((value) => ({ sql: `b'${value}'`, value })) },
  { type: 'bit(64)', samples: ['1'.repeat(64), '1'.padStart(64, '0')].map((value) => ({ sql: `b'${value}'`, value })) },
  quoted('date', '2026-03-29', '1000-01-01', '9999-12-31', '0000-00-00', '2026-00-10'),
  quoted('datetime', '2026-03-29 01:30:00', '9999-12-31 23:59:59', '0000-00-00 00:00:00'),
  quoted('datetime(3)', '2026-03-29 01:30:00.123', '0000-00-00 00:00:00.000'),
  quoted(
    'datetime(6)',
    '2026-03-29 01:30:00.123456',
    '1000-01-01 00:00:00',
    '0000-00-00 00:00:00',
    '2026-00-10 00:00:00',
  ),
  quoted('timestamp null', '2026-03-29 01:30:00', '0000-00-00 00:00:00'),
  quoted('timestamp(6) null', '2026-03-29 01:30:00.123456', '1970-01-01 00:00:01', '0000-00-00 00:00:00'),
  quoted('time', '00:00:00', '838:59:59', '-838:59:59', '23:59:59', '-01:00:00'),
  quoted('time(6)', '12:34:56.123456', '-00:00:00.000001'),
  quoted('year', '1901', '2155', '0000'),
  { type: 'json', samples: [...quoted('json', ...JSONS).samples, ...COMPUTED_JSONS] },
  ...LISTS,
  quoted("set('a','b','2')", '', 'a,b', '2'),
  quoted("set('x','a','b','2')", 'x,b,2'),
  {
    type: 'point',
    samples: [{ sql: "st_geomfromtext('POINT(1 2)')", value: '000000000101000000000000000000f03f0000000000000040' }],
  },
];

/** Of MariaDB alone. */
export const MARIADB: SampleType[] = [quoted('uuid', UUID), quoted('inet4', '192.168.0.1'), quoted('inet6', '::1')];

/**
 * What docs/types.md says, type by type: the type that keeps all values, but those that the target refuses aloud.
 * types-documentation.test.ts compares the two.
 */
export interface Meant {
  from: string;
  into: string;
  refused?: string[];
  /** One of the two is a type of MariaDB's alone. */
  mariadb?: true;
}

/** Years that neither MySQL nor MariaDB has. */
const FAR = ['12345-01-01 00:00:00', '0044-03-15 12:00:00 BC'];

export const FROM_POSTGRES: Meant[] = [
  { from: 'smallint', into: 'smallint' },
  { from: 'integer', into: 'int' },
  { from: 'bigint', into: 'bigint' },
  { from: 'real', into: 'float', refused: ['NaN', 'Infinity'] },
  { from: 'double precision', into: 'double', refused: ['NaN', '-Infinity'] },
  { from: 'numeric', into: 'decimal(65,30)', refused: ['1e-40', 'NaN', 'Infinity'] },
  { from: 'numeric(12,4)', into: 'decimal(12,4)', refused: ['NaN'] },
  { from: 'numeric(20,0)', into: 'decimal(20,0)', refused: ['NaN'] },
  { from: 'boolean', into: 'tinyint(1)' },
  { from: 'boolean', into: 'bit(1)' },
  { from: 'text', into: 'longtext' },
  { from: 'text', into: 'text', refused: BLANKS.slice(1) },
  { from: 'text', into: 'tinytext', refused: BLANKS },
  { from: 'text', into: 'varchar(5)', refused: longerThan(5) },
  { from: 'character varying(10)', into: 'varchar(300)' },
  { from: 'character varying(10)', into: 'varchar(5)', refused: ['ten chars!'] },
  { from: 'character(5)', into: 'char(5)' },
  { from: 'bytea', into: 'longblob' },
  { from: 'bytea', into: 'varbinary(300)' },
  { from: 'bit(10)', into: 'bit(10)' },
  { from: 'bit varying', into: 'longtext' },
  { from: 'date', into: 'date', refused: ['0044-03-15 BC', 'infinity', '10000-01-01'] },
  { from: 'time without time zone', into: 'time(6)' },
  { from: 'time(0) without time zone', into: 'time' },
  { from: 'timestamp without time zone', into: 'datetime(6)', refused: ['-infinity', ...FAR] },
  { from: 'timestamp(0) without time zone', into: 'datetime' },
  { from: 'timestamp with time zone', into: 'datetime(6)', refused: ['infinity', ...FAR] },
  {
    from: 'timestamp with time zone',
    into: 'timestamp(6) null',
    refused: ['1969-12-31 23:59:59', '2100-01-01 00:00:00', 'infinity', ...FAR],
  },
  { from: 'interval', into: 'longtext' },
  { from: 'json', into: 'json', refused: LONG_JSONS },
  { from: 'jsonb', into: 'json', refused: LONG_JSONS },
  { from: 'json', into: 'longtext' },
  { from: 'jsonb', into: 'longtext' },
  { from: 'uuid', into: 'binary(16)' },
  { from: 'uuid', into: 'char(36)' },
  { from: 'uuid', into: 'uuid', mariadb: true },
  { from: 'numeric(40,35)', into: 'longtext' },
  { from: 'integer[]', into: 'longtext' },
  { from: 'text[]', into: 'longtext' },
  { from: 'int4range', into: 'longtext' },
  { from: 'code', into: 'longtext' },
  { from: 'place', into: 'longtext' },
  { from: 'inet', into: 'longtext' },
  { from: 'cidr', into: 'longtext' },
  { from: 'macaddr', into: 'longtext' },
  { from: 'oid', into: 'longtext' },
  { from: 'xml', into: 'longtext' },
  { from: 'tsvector', into: 'longtext' },
  { from: 'mood', into: "enum('sad','Happy','2')" },
  { from: 'mood', into: 'longtext' },
];

export const FROM_MYSQL: Meant[] = [
  { from: 'tinyint(1)', into: 'boolean', refused: ['2', '-128'] },
  { from: 'tinyint(1)', into: 'smallint' },
  { from: 'tinyint', into: 'smallint' },
  { from: 'tinyint unsigned', into: 'smallint' },
  { from: 'smallint', into: 'smallint' },
  { from: 'smallint unsigned', into: 'integer' },
  { from: 'mediumint', into: 'integer' },
  { from: 'mediumint unsigned', into: 'integer' },
  { from: 'int', into: 'integer' },
  { from: 'int unsigned', into: 'bigint' },
  { from: 'bigint', into: 'bigint' },
  { from: 'bigint unsigned', into: 'numeric(20,0)' },
  { from: 'bigint unsigned', into: 'bigint', refused: ['18446744073709551615'] },
  { from: 'float', into: 'real' },
  { from: 'double', into: 'double precision' },
  { from: 'decimal(65,30)', into: 'numeric' },
  { from: 'decimal(12,4)', into: 'numeric(12,4)' },
  { from: 'varchar(300)', into: 'text' },
  { from: 'varchar(300)', into: 'character varying(10)', refused: longerThan(10) },
  { from: 'longtext', into: 'text' },
  { from: 'longtext', into: 'character varying(10)', refused: longerThan(10) },
  { from: 'mediumtext', into: 'text' },
  { from: 'tinytext', into: 'text' },
  { from: 'text', into: 'text', refused: ['nul\u000012'] },
  { from: 'char(5)', into: 'text' },
  { from: 'varbinary(300)', into: 'bytea' },
  { from: 'tinyblob', into: 'bytea' },
  { from: 'blob', into: 'bytea' },
  { from: 'mediumblob', into: 'bytea' },
  { from: 'longblob', into: 'bytea' },
  { from: 'binary(4)', into: 'bytea' },
  { from: 'binary(16)', into: 'uuid' },
  { from: 'bit(1)', into: 'boolean' },
  { from: 'bit(10)', into: 'bit(10)' },
  { from: 'bit(64)', into: 'bit varying' },
  { from: 'date', into: 'date', refused: ['0000-00-00', '2026-00-10'] },
  { from: 'datetime', into: 'timestamp(0) without time zone', refused: ['0000-00-00 00:00:00'] },
  {
    from: 'datetime(6)',
    into: 'timestamp without time zone',
    refused: ['0000-00-00 00:00:00', '2026-00-10 00:00:00'],
  },
  { from: 'datetime(3)', into: 'timestamp without time zone', refused: ['0000-00-00 00:00:00.000'] },
  { from: 'timestamp null', into: 'timestamp with time zone', refused: ['0000-00-00 00:00:00'] },
  { from: 'timestamp(6) null', into: 'timestamp with time zone', refused: ['0000-00-00 00:00:00'] },
  { from: 'time', into: 'interval' },
  { from: 'time(6)', into: 'interval' },
  { from: 'time', into: 'time without time zone', refused: ['838:59:59', '-838:59:59', '-01:00:00'] },
  { from: 'time(6)', into: 'time without time zone', refused: ['-00:00:00.000001'] },
  { from: 'year', into: 'smallint' },
  { from: 'json', into: 'jsonb' },
  { from: 'json', into: 'json' },
  { from: "enum('sad','Happy','2')", into: 'text' },
  { from: "enum('sad','Happy','2')", into: 'mood' },
  { from: "set('a','b','2')", into: 'text' },
  { from: 'uuid', into: 'uuid', mariadb: true },
  { from: 'inet4', into: 'text', mariadb: true },
  { from: 'inet6', into: 'text', mariadb: true },
];

/** Types of each family that nothing of another one keeps. */
export const WITHOUT_TARGET = ['money', 'time with time zone', 'point'];
