import type { ColumnFacts } from '../dialect.ts';
import { quoteText } from './names.ts';

/**
 * Character sets that hold bytes for which the server knows no character, and makes `?` of on their way to another set (all bytes and
 * pairs of MySQL 9.7 and MariaDB 10.11 tried; of `ascii` MariaDB alone, of `gb18030` not all of four). The others, `latin1` among them, have one for each.
 */
const UNMAPPED = new Set(
  `ascii big5 cp1250 cp1251 cp1256 cp1257 cp932 dec8 eucjpms euckr gb18030 gb2312 gbk geostd8 greek hebrew hp8 sjis swe7 ujis`.split(
    ' ',
  ),
);

/** The fact of a column, by the name of its collation, which begins with that of the character set. */
export const unmappedBy = (collation: string | null | undefined): Pick<ColumnFacts, 'unmapped'> =>
  UNMAPPED.has(/^[a-z0-9]+/i.exec(collation ?? '')?.[0].toLowerCase() ?? '') ? { unmapped: true } : {};

/**
 * A condition: more `?` come of this text (quoted name) than it has. To convert it back and compare would not do: some characters have two forms. In
 * none of these sets is the byte of `?` a part of another character.
 */
export function losesBytes(name: string): string {
  const marks = (text: string, mark: string): string => `length(${text}) - length(replace(${text}, ${mark}, ''))`;
  return `${marks(`convert(${name} using utf8mb4)`, "'?'")} > ${marks(`cast(${name} as binary)`, '0x3f')}`;
}

/** Such a text is an error (1690, whose message has the expression), which both servers raise in a SELECT. */
export function orUnmapped({ name, unmapped }: ColumnFacts, quoted: string): string {
  if (!unmapped) return quoted;
  const why = quoteText(`${name} has bytes for which its character set has no character`);
  // A constant would be computed when the statement is planned.
  const failure = `cast(18446744073709551615 + length(concat(${why}, left(${quoted}, 0))) as char)`;
  return `case when ${losesBytes(quoted)} then ${failure} else ${quoted} end`;
}
