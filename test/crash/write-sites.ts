/** The places of the source code that write or lock, in a worker: what the points of all scenarios together must have. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import ts from 'typescript';
import { isWrite } from './points.ts';

const SOURCE = join(import.meta.dirname, '../../src');

/** Where everything stands that a worker sends. */
const FOLDERS = ['activities', 'control', 'database'];

/** How a text begins that is a statement, where no tag says so. Lower case, for so we write SQL: what is advised begins with a capital. */
const STATEMENT =
  /^\s*(insert|update|delete|copy|load data|create|alter|drop|rename|truncate|lock tables?|kill|call|select [^]*setval)\b\s/;

export type Family = 'postgres' | 'mysql';

export interface WriteSite {
  /** Its file and how it begins, with … for what is put in. */
  name: string;
  /** Whether it is what was sent: its words in their order, with anything where something is put in. */
  sends: RegExp;
}

/** Those that a server of this family may get. */
export async function writeSites(family: Family): Promise<WriteSite[]> {
  const others = join('database', family === 'postgres' ? 'mysql' : 'postgres', '/');
  const listed = FOLDERS.map(async (folder) =>
    (await readdir(join(SOURCE, folder), { recursive: true })).map((name) => join(folder, name)),
  );
  const files = (await Promise.all(listed)).flat().filter((file) => file.endsWith('.ts') && !file.startsWith(others));
  const found = files.map(async (file) => sitesIn(file, await readFile(join(SOURCE, file), 'utf8')));
  return (await Promise.all(found)).flat();
}

function sitesIn(file: string, code: string): WriteSite[] {
  const sites: WriteSite[] = [];
  const visit = (node: ts.Node): void => {
    const words = wordsOf(node);
    if (words && writesByItself(node, words.join(' '))) {
      const beginning = words.join('…').replace(/\s+/g, ' ').trim().slice(0, 100);
      sites.push({ name: `${file}: ${beginning}`, sends: patternOf(words, holesOf(node)) });
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, code, ts.ScriptTarget.Latest, true));
  return sites;
}

/** Of a string, or between the holes of a template. */
function wordsOf(node: ts.Node): string[] | undefined {
  if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) return [node.text];
  if (ts.isTemplateExpression(node)) return [node.head.text, ...node.templateSpans.map(({ literal }) => literal.text)];
  return undefined;
}

function writesByItself({ parent }: ts.Node, text: string): boolean {
  const tag = ts.isTaggedTemplateExpression(parent) ? parent.tag.getText() : undefined;
  return tag === 'sql' ? isWrite(text) : STATEMENT.test(text) && !isAdvice(parent);
}

/** Part of what an error says is next. */
function isAdvice(parent: ts.Node): boolean {
  if (ts.isPropertyAssignment(parent) || ts.isVariableDeclaration(parent)) return parent.name.getText() === 'next';
  return !ts.isStatement(parent) && !ts.isFunctionLike(parent) && isAdvice(parent.parent);
}

/** Between the words of a template goes a control table, a user's one, or anything. */
function holesOf(node: ts.Node): string[] {
  if (!ts.isTemplateExpression(node)) return [];
  return node.templateSpans.map(({ expression }) => {
    const text = expression.getText();
    const [, control] = /\.ledger\('(\w+)'\)$/.exec(text) ?? [];
    if (control !== undefined) return `\\S*waybill\\S*\\b${control}\\b`;
    return /^raw\((?:.*\.)?quoteTable\(/.test(text) ? '(?!\\S*waybill)\\S+' : '[^]*?';
  });
}

function patternOf(words: readonly string[], holes: readonly string[]): RegExp {
  const literal = words.map((text) =>
    text
      .split(/\s+/)
      .map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
      .join('\\s+'),
  );
  return new RegExp(literal.map((text, i) => text + (holes[i] ?? '')).join(''));
}
