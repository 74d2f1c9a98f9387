import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, visit } from 'yaml';
import type { Document, Node, Pair, Scalar } from 'yaml';

import { isKept } from '../sql/kept-number.ts';
import type { Place, Problem } from './problem.ts';
import { syntaxAdvice } from './yaml-syntax.ts';

/** Where a value stands in a YAML file: keys and list positions from the top. */
export type ValuePath = readonly (string | number)[];

/** Answers where a key or value of a file stands. */
export interface YamlFile {
  /** Path relative to the project folder, with `/`. */
  file: string;
  text: string;
  /** The plain value; `undefined` when the file is not valid YAML. */
  value: unknown;
  /** Place of the value (default) or of its key. What is not there is placed at the nearest thing above it that is. */
  place: (path: ValuePath, at?: 'key' | 'value') => Place;
  /** The scalar itself, for its style and its text as written. */
  scalar: (path: ValuePath) => Scalar | undefined;
  /** A scalar as written, before the environment is put in; '' where there is none. */
  written: (path: ValuePath) => string;
  /** Line and column of a character of `text`. */
  placeOfOffset: (offset: number) => Place;
}

/** Parses one YAML file. Mistakes in it go to `problems`; the value is then `undefined`. */
export function parseYamlFile(file: string, text: string, problems: Problem[]): YamlFile {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false });
  const placeOfOffset = (offset: number): Place => {
    const { line, col } = lineCounter.linePos(Math.min(offset, text.length));
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const problem = (offset: number, message: string, next?: string): Problem => ({
    ...placeOfOffset(offset),
    message,
    ...(next !== undefined && { next }),
    severity: 'error',
  });

  const mistakes = syntaxProblems(document, text, problem);
  const value =
    mistakes.length > 0 ? undefined : plainValue(document, () => mistakes.push(problem(0, TOO_MANY_ALIASES)));
  problems.push(...mistakes);
  const scalar: YamlFile['scalar'] = (path) => {
    const { node } = follow(document, path);
    return isScalar(node) ? node : undefined;
  };
  return {
    file,
    text,
    value,
    place: (path, at = 'value') => placeOfOffset(offsetOf(document, path, at)),
    scalar,
    written: (path) => {
      const value = scalar(path)?.value;
      return typeof value === 'string' ? value : '';
    },
    placeOfOffset,
  };
}

const TOO_MANY_ALIASES = 'aliases (`*name`) of aliases make this file too large';

/** The document's value. The library refuses aliases that would blow up; that is the only way in which this can fail. */
function plainValue(document: Document.Parsed, fail: () => void): unknown {
  try {
    return document.toJS();
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error;
    fail();
    return undefined;
  }
}

type MakeProblem = (offset: number, message: string, next?: string) => Problem;

function syntaxProblems(document: Document.Parsed, text: string, problem: MakeProblem): Problem[] {
  const duplicates = document.errors.filter((error) => error.code === 'DUPLICATE_KEY');
  const broken = document.errors.find((error) => error.code !== 'DUPLICATE_KEY');
  const found = duplicates.map((error) => {
    const key = /^["']?([\w-]+)/.exec(text.slice(error.pos[0]))?.[1];
    return problem(error.pos[0], key === undefined ? 'this key is given twice' : `\`${key}\` is given twice`);
  });
  if (broken !== undefined) {
    const start = text.lastIndexOf('\n', broken.pos[0] - 1) + 1;
    const [line = ''] = text.slice(start).split(/\r?\n/, 1);
    const { message, next } = syntaxAdvice(broken, line, broken.pos[0] - start);
    found.push(problem(broken.pos[0], message, next));
    return found;
  }
  for (const warning of document.warnings) {
    found.push(problem(warning.pos[0], 'tags (`!name`) are not understood here', 'Leave the tag out.'));
  }
  visit(document, {
    Alias: (_key, alias) => {
      const [at] = alias.range ?? [0];
      const target = alias.resolve(document);
      const range = target?.range;
      if (range && range[0] <= at && at < range[1]) {
        found.push(problem(at, 'this alias (`*name`) stands inside of what it refers to'));
      } else if (target === undefined) {
        const next = 'Put the value in quotes if it is meant as text.';
        found.push(problem(at, 'this alias (`*name`) refers to nothing', next));
      }
    },
    Pair: (_key, pair) => {
      const key = pair.key as Node;
      if (!isScalar(key)) found.push(problem(key.range?.[0] ?? 0, 'a key must be a plain name'));
    },
    Scalar: (_key, scalar) => {
      const { value, source = '' } = scalar;
      if (typeof value !== 'number') return;
      const large = Number.isInteger(value) && !Number.isSafeInteger(value);
      if (!large && isKept(source, value)) return;
      const message = `the number ${source} ${large ? 'is too large' : 'has too many digits'} to be kept exactly`;
      found.push(problem(scalar.range?.[0] ?? 0, message, 'Put it in quotes.'));
    },
  });
  return found;
}

/** Follows a path through the document as far as it goes; aliases lead to what they stand for. */
function follow(
  document: Document.Parsed,
  path: ValuePath,
): { node: Node | null; key: Node | null; complete: boolean } {
  let node: Node | null = document.contents;
  let key: Node | null = null;
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(document) ?? null;
    if (isMap(node)) {
      const pair = (node.items as Pair<Node, Node | null>[]).find(
        (item) => isScalar(item.key) && String(item.key.value) === String(step),
      );
      if (pair === undefined) return { node, key, complete: false };
      key = pair.key;
      node = pair.value;
    } else if (isSeq(node) && typeof step === 'number' && step < node.items.length) {
      key = null;
      node = node.items[step] as Node;
    } else {
      return { node, key, complete: false };
    }
  }
  if (isAlias(node)) node = node.resolve(document) ?? null;
  return { node, key, complete: true };
}

function offsetOf(document: Document.Parsed, path: ValuePath, at: 'key' | 'value'): number {
  const { node, key, complete } = follow(document, path);
  const empty = node === null || (isScalar(node) && node.value === null);
  const wanted = key !== null && (at === 'key' || empty || !complete) ? key : node;
  return (wanted ?? key)?.range?.[0] ?? 0;
}
