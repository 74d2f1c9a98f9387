import { ConfigurationError } from '../errors.ts';
import { formatPlace } from './problem.ts';

/** Why bytes are no text, and the 1-based line and column where they cease to be one. */
export interface NotText {
  line: number;
  column: number;
  message: string;
  /** What to do about it, as a sentence. */
  next: string;
}

/**
 * The text of a project's file, without the byte order mark that it may begin with. Only UTF-8 is taken: Node would put U+FFFD for every
 * other byte without a word, and the database would be given that.
 */
export function decodeText(bytes: Buffer): { text: string } | { wrong: NotText } {
  const utf16 = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
  if (utf16) return { wrong: { line: 1, column: 1, message: 'this file is written in UTF-16', next: SAVE } };
  const text = bytes.toString('utf8').replace(/^\uFEFF/, '');
  const mark = bytes.length >= 3 && bytes.readUIntBE(0, 3) === 0xefbbbf ? 3 : 0;
  const given = bytes.subarray(mark);
  const kept = Buffer.from(text);
  if (!kept.equals(given)) return { wrong: firstDifference(given, kept) };
  const nul = kept.indexOf(0);
  return nul < 0
    ? { text }
    : { wrong: { ...placeIn(kept, nul), message: 'this file holds a NUL character', next: SAVE } };
}

/** The same of a file (as messages name it) that is read by itself. Throws `ConfigurationError`. */
export function textOf(bytes: Buffer, file: string): string {
  const decoded = decodeText(bytes);
  if ('text' in decoded) return decoded.text;
  const { line, column, message, next } = decoded.wrong;
  throw new ConfigurationError(message, { where: formatPlace({ file, line, column }), next });
}

const SAVE = 'Save it as UTF-8.';

/** `kept` has U+FFFD, three bytes, where `given` has what is not UTF-8; before the first of them both are the same. */
function firstDifference(given: Buffer, kept: Buffer): NotText {
  let at = given.findIndex((byte, i) => byte !== kept[i]);
  if (at < 0) at = given.length;
  while ((kept[at]! & 0xc0) === 0x80) at -= 1; // an incomplete character may begin as U+FFFD does
  const byte = given[at]!.toString(16).toUpperCase();
  return {
    ...placeIn(kept, at),
    message: `this file is not UTF-8: byte ${byte} is not valid here`,
    next: SAVE,
  };
}

function placeIn(text: Buffer, at: number): Pick<NotText, 'line' | 'column'> {
  const lines = text.subarray(0, at).toString('utf8').split('\n');
  return { line: lines.length, column: lines.at(-1)!.length + 1 };
}
