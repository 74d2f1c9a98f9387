/**
 * The SQL of the tests as MySQL and MariaDB take it. Tests are written once, in plain SQL where there is one; what these
 * servers call otherwise stands here.
 */
const OTHERWISE: readonly [RegExp, string][] = [
  [/\bgenerated (?:by default|always) as identity\b/gi, 'auto_increment'],
  [/\btimestamptz\b/gi, 'timestamp(6)'],
  [/\btext (not null|primary key)/gi, 'varchar(200) $1'],
  // The limit keeps them from leaving out what nobody asks for.
  [
    /\(select pg_sleep\(([^()]+)\)((?: from [\w.]+)?(?: where [^()]+)?)\) (\w+)/gi,
    '(select sleep($1) as slept$2 limit 1) $3',
  ],
  [/\bpg_sleep\(/gi, 'sleep('],
  [/\bfor share\b/gi, 'lock in share mode'], // MariaDB does not know the other
  [/\bclock_timestamp\(\)/gi, 'sysdate(6)'],
  [/\bextract\(epoch from ([\w.]+) - ([\w.]+(?:\(6\))?)\)::float8/gi, 'timestampdiff(microsecond, $2, $1) / 1000000'],
  [/([\w.]+|\([^()]*\))::numeric\b/gi, 'cast($1 as decimal(38, 16))'],
  [/([\w.]*\((?:[^()]|\([^()]*\))*\)|[\w.]+)::text\b/gi, 'cast($1 as char)'],
  [/([\w.]+|\([^()]*\))::(?:big)?int\b/gi, 'cast($1 as signed)'],
  [/\bdefault values\b/gi, '() values ()'],
  [/\bchr\(([^()]+)\)/gi, 'char($1 using utf8mb4)'],
  [/\bas table ([\w.]+)/gi, 'as select * from $1'],
  [/\(like ([\w.]+) including all\)/gi, '(like $1)'],
  [/(\binsert into [\w.]+) table ([\w.]+)/gi, '$1 select * from $2'],
  [/\bselect (?=from\b)/gi, 'select 1 '],
  [/\bcount\(\*\) filter \(where ([^()]+)\)/gi, 'count(case when $1 then 1 end)'],
  [/([\w.]+(?:\([^()]*\))?) \* interval '(\d+) (\w+?)s?'/gi, 'interval $1 * $2 $3'],
  [/\binterval '(\d+) (\w+?)s?'/gi, "interval '$1' $2"],
  [/\balter table (\w+)\.(\w+) rename to (\w+)/gi, 'rename table $1.$2 to $1.$3'],
];

const SERIES = /\bgenerate_series\(([^(),]+), ([^(),]+)\) (?:as )?(\w+)\b/gi;

export function asMysql(sql: string): string {
  const plain = OTHERWISE.reduce((text, [pattern, mysql]) => text.replace(pattern, mysql), sql);
  return plain.replace(SERIES, (_, from: string, to: string, name: string) => {
    const numbers = `with recursive s(n) as (select ${from} as n union all select n + 1 from s where n < ${to})`;
    return `(${numbers} select n as ${name} from s where n <= ${to}) ${name}`;
  });
}

/** `$1` is `?` there, each time with its value. */
export function withPlaceholders(text: string, values: readonly unknown[]): { text: string; values: unknown[] } {
  const inOrder: unknown[] = [];
  const question = text.replace(/\$(\d+)/g, (_, n: string) => {
    inOrder.push(values[Number(n) - 1]);
    return '?';
  });
  return { text: question, values: inOrder };
}
