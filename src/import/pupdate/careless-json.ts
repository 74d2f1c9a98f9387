import jsonc from 'jsonc-parser';
import { formatPlace, type Place } from '../../config/problem.ts';
import { ConfigurationError } from '../../errors.ts';
import { positionsIn } from '../../sql/sql-error.ts';
import type { Fragment, TakeNote } from './note.ts';

type Node = jsonc.Node;

/** Says what is wrong at a place of the imported file. */
export function refuseAt(at: Place, message: string, next: string): never {
  throw new ConfigurationError(message, { where: formatPlace(at), next });
}

/**
 * Reads the outermost object of a JSON file that people wrote by hand: comments and commas at the end are taken as they are.
 * Throws `ConfigurationError` with the position for what cannot be understood; a file that ends too early is one.
 */
export function readJsonObject(file: string, text: string, note: TakeNote): Section {
  const position = positionsIn({ file, text, line: 1, column: 1 });
  const locate = (offset: number): Place => ({ file, ...position(offset) });
  const errors: jsonc.ParseError[] = [];
  const root = jsonc.parseTree(text, errors, { allowTrailingComma: true });
  const [first] = errors;
  if (first !== undefined || root === undefined) {
    const end = text.trimEnd().length;
    const behind = root === undefined ? end : root.offset + root.length;
    if (first !== undefined && first.offset >= behind && text[behind - 1] === '}' && behind < end) {
      refuseAt(
        locate(behind + text.slice(behind).search(/\S/)),
        'something stands behind the end of the object that a session file is',
        'Take it out there, or get the file anew.',
      );
    }
    // A reader of JSON notices an open string where it begins; that the file ends in it is what a person must know.
    const cut = first === undefined || first.offset + first.length >= end;
    const at = locate(cut ? end : first.offset);
    if (end === 0) refuseAt(locate(0), 'the file is empty', 'Get the whole file.');
    if (cut) refuseAt(at, 'the file ends in the middle: something is still open here', 'Get the whole file.');
    const what = jsonc
      .printParseErrorCode(first.error)
      .replace(/(?<=[a-z])(?=[A-Z])/g, ' ')
      .toLowerCase();
    refuseAt(at, `this is no JSON: ${what}`, 'Mend the file there.');
  }
  if (root.type !== 'object') refuseAt(locate(root.offset), 'a session file is a JSON object', 'Look at the file.');
  return new Section(root, text, locate, note);
}

/**
 * One object, read as Go reads it: the case of keys does not count, of a repeated key the last one does. Keys that begin with `-`
 * are switched off, `c` is a comment, and `""` is a value that is not set.
 */
export class Section {
  readonly at: Place;
  private readonly properties = new Map<string, { key: string; node: Node; at: Place }>();
  private readonly used = new Set<string>();

  constructor(
    node: Node,
    private readonly source: string,
    private readonly locate: (offset: number) => Place,
    private readonly note: TakeNote,
  ) {
    this.at = locate(node.offset);
    for (const { children } of node.children ?? []) {
      const [name, value] = children ?? [];
      if (name === undefined || value === undefined) continue;
      const key = String(name.value);
      const at = locate(name.offset);
      if (key.startsWith('-')) note('ignored', at, `\`${key}\` is switched off by its dash`);
      if (key.startsWith('-') || key.toLowerCase() === 'c') continue;
      const folded = key.toLowerCase();
      const earlier = this.properties.get(folded);
      if (earlier) note('ignored', earlier.at, `\`${earlier.key}\` stands again further down, and the last one counts`);
      this.properties.set(folded, { key, node: value, at });
    }
  }

  /** The text of the first of these keys that is set; of the others it is said that they do not count. */
  text(...keys: string[]): Fragment | undefined {
    const [found, ...others] = keys
      .map((key) => this.find(key))
      .filter((each) => each !== undefined && isSet(each.node));
    if (found === undefined) return undefined;
    for (const other of others) {
      this.note('ignored', other!.at, `\`${other!.key}\`: \`${found.key}\` means the same, and wins over it`);
    }
    const { node, at } = found;
    if (node.type !== 'string' && node.type !== 'number') {
      refuseAt(at, `\`${found.key}\` must be text`, 'Mend the file there.');
    }
    // As it stands: of digits beyond 2^53 a number keeps the first ones.
    const isRounded = typeof node.value === 'number' && Math.abs(node.value) > Number.MAX_SAFE_INTEGER;
    const text = isRounded ? this.source.slice(node.offset, node.offset + node.length) : String(node.value);
    return { text, at: this.locate(node.offset) };
  }

  /** A whole number, also one in quotes. */
  number(key: string): number | undefined {
    const whole = this.whole(key);
    if (typeof whole !== 'bigint') return whole;
    return refuseAt(this.text(key)!.at, `\`${key}\` must be below 2^53, and is ${whole}`, 'Mend the file there.');
  }

  /** The same of any length: a big one where a number would be rounded. */
  whole(key: string): number | bigint | undefined {
    const found = this.text(key);
    if (found === undefined) return undefined;
    const text = found.text.trim();
    if (!/^[+-]?\d+$/.test(text)) {
      const message = `\`${key}\` must be a whole number, and is ${JSON.stringify(found.text)}`;
      refuseAt(found.at, message, 'Mend the file there.');
    }
    return Number.isSafeInteger(Number(text)) ? Number(text) : BigInt(text.replace('+', ''));
  }

  /** Those of these keys that are set, as the file writes them. */
  set(...keys: string[]): string[] {
    return keys.flatMap((key) => {
      const found = this.find(key);
      return found !== undefined && isSet(found.node) ? [found.key] : [];
    });
  }

  flag(key: string): boolean {
    const found = this.find(key);
    if (found === undefined || !isSet(found.node)) return false;
    const value: unknown = found.node.value;
    const text = typeof value === 'string' || typeof value === 'number' ? String(value).toLowerCase() : value;
    if (value === true || text === 'true' || text === '1') return true;
    if (value === false || text === 'false' || text === '0') return false;
    return refuseAt(found.at, `\`${found.key}\` must be true or false`, 'Mend the file there.');
  }

  /** Texts of a list, those of them that are set; one text alone is a list of one. */
  texts(key: string): Fragment[] {
    const found = this.find(key);
    if (found === undefined || !isSet(found.node)) return [];
    const items = found.node.type === 'array' ? (found.node.children ?? []) : [found.node];
    return items.filter(isSet).map((item) => {
      if (item.type !== 'string')
        refuseAt(this.locate(item.offset), `\`${found.key}\` is a list of texts`, 'Mend the file there.');
      return { text: String(item.value), at: this.locate(item.offset) };
    });
  }

  /** Objects of a list; undefined when there is no such key, or it is not set. */
  sections(key: string): Section[] | undefined {
    const found = this.find(key);
    if (found === undefined || !isSet(found.node)) return undefined;
    if (found.node.type !== 'array')
      refuseAt(found.at, `\`${found.key}\` must be a list of tasks`, 'Mend the file there.');
    return (found.node.children ?? []).map((item) => {
      if (item.type !== 'object') refuseAt(this.locate(item.offset), 'a task is an object', 'Mend the file there.');
      return new Section(item, this.source, this.locate, this.note);
    });
  }

  /** Says of a key that it is known and has no counterpart. */
  leaveOut(key: string, why: string): void {
    const found = this.find(key);
    if (found !== undefined && isSet(found.node)) this.note('ignored', found.at, `\`${found.key}\`: ${why}`);
  }

  /** Notes every key that nobody asked for. */
  finish(): void {
    for (const [folded, { key, at }] of this.properties) {
      if (!this.used.has(folded)) this.note('ignored', at, `\`${key}\` is no key of pupdate's that is known`);
    }
  }

  private find(key: string): { key: string; node: Node; at: Place } | undefined {
    const folded = key.toLowerCase();
    this.used.add(folded);
    return this.properties.get(folded);
  }
}

const isSet = (node: Node): boolean => node.type !== 'null' && node.value !== '';
