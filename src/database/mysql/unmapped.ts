import type { ColumnFacts } from '../dialect.ts';
import { quoteText } from './names.ts';

/**
 * Character sets that hold bytes for which the server knows no character, and makes `?`, or of some of `big5` and `tis620` U+FFFD, of on
 * their way to another set (all bytes and pairs of MySQL 9.7 and MariaDB 10.11 tried; of `ascii` MariaDB alone, of `gb18030` not all of
 * four). The others, `latin1` among them, have one for each.
 */
const UNMAPPED = new Set(
  `ascii big5 cp1250 cp1251 cp1256 cp1257 cp932 dec8 eucjpms euckr gb18030 gb2312 gbk geostd8 greek hebrew hp8 sjis swe7 tis620 ujis`.split(
    ' ',
  ),
);

/** The name of a collation begins with that of its character set. */
export const characterSetOf = (collation: string): string => /^[a-z0-9]*/.exec(collation.toLowerCase())![0];

/** The fact of a column, by the name of its collation. */
export const unmappedBy = (collation: string | null | undefined): Pick<ColumnFacts, 'unmapped'> =>
  UNMAPPED.has(characterSetOf(collation ?? '')) ? { unmapped: true } : {};

/**
 * A condition: more `?` come of this text (quoted name) than it has, or a U+FFFD, which of these sets `gb18030` alone has. To convert it
 * back and compare would not do: some characters have two forms. In none of these sets is the byte of `?` a part of another character.
 */
export function losesBytes(name: string): string {
  const marks = (text: string, mark: string): string => `length(${text}) - length(replace(${text}, ${mark}, ''))`;
  const asked = `${marks(`convert(${name} using utf8mb4)`, "'?'")} > ${marks(`cast(${name} as binary)`, '0x3f')}`;
  const replaced = `instr(cast(convert(${name} using utf8mb4) as binary), 0xefbfbd) > 0`;
  return `(${asked} or ${replaced} and charset(${name}) <> 'gb18030')`;
}

/** Such a text is an error (1690, whose message has the expression), which both servers raise in a SELECT. */
export function orUnmapped({ name, unmapped }: ColumnFacts, quoted: string): string {
  if (!unmapped) return quoted;
  const why = quoteText(`${name} has bytes for which its character set has no character`);
  // A constant would be computed when the statement is planned.
  const failure = `cast(18446744073709551615 + length(concat(${why}, left(${quoted}, 0))) as char)`;
  return `case when ${losesBytes(quoted)} then ${failure} else ${quoted} end`;
}
