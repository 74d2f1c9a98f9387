import { existsSync, readFileSync, realpathSync } from 'node:fs';
import path from 'node:path';

import type { SqlDialect } from '../sql/dialect.ts';
import { nearest } from '../sql/names.ts';
import { decodeText } from './decode-text.ts';
import type { SqlSource } from './definition.ts';
import type { Problem } from './problem.ts';
import type { ValuePath, YamlFile } from './yaml-file.ts';

export interface SqlFolder {
  /** The project's folder, absolute. */
  directory: string;
  /** Known .sql files, relative to it, to suggest from. */
  files: readonly string[];
  /** What the files are written in. */
  dialect: Pick<SqlDialect, 'fileVariant'>;
}

/**
 * The SQL that one value of a load file stands for: a file when it ends in `.sql` (relative to the load's file, inside the
 * project; `x.mysql.sql` beside `x.sql` is read instead on MySQL and MariaDB), else the value itself. `undefined` when there is no such file; `problems` then says so.
 */
export function readSql(yaml: YamlFile, at: ValuePath, text: string, folder: SqlFolder, problems: Problem[]) {
  const trimmed = text.trim();
  const isFile = /\.sql$/i.test(trimmed) && !trimmed.includes('\n');
  return isFile ? readSqlFile(yaml, at, variantOf(yaml, trimmed, folder), folder, problems) : inlineSql(yaml, at, text);
}

/** Several texts, or one: each read; those that fail are left out. */
export function readSqlList(
  yaml: YamlFile,
  at: ValuePath,
  value: string | string[],
  folder: SqlFolder,
  problems: Problem[],
): SqlSource[] {
  const sources = Array.isArray(value)
    ? value.map((text, index) => readSql(yaml, [...at, index], text, folder, problems))
    : [readSql(yaml, at, value, folder, problems)];
  return sources.filter((source) => source !== undefined);
}

/** The file that is written for this server, if there is one. */
function variantOf(yaml: YamlFile, name: string, { directory, dialect }: SqlFolder): string {
  if (dialect.fileVariant === undefined) return name;
  const variant = name.replace(/\.sql$/i, `.${dialect.fileVariant}.sql`);
  return existsSync(path.resolve(directory, path.dirname(yaml.file), variant)) ? variant : name;
}

function readSqlFile(
  yaml: YamlFile,
  at: ValuePath,
  name: string,
  folder: SqlFolder,
  problems: Problem[],
): SqlSource | undefined {
  const refuse = (message: string, next: string): undefined => {
    problems.push({ ...yaml.place(at), message, next, severity: 'error' });
  };
  const loadFolder = path.dirname(path.join(folder.directory, yaml.file));
  const full = path.resolve(loadFolder, name);
  const inside = (child: string, parent: string): boolean => child.startsWith(parent + path.sep);
  if (!inside(full, folder.directory)) {
    return refuse(`\`${name}\` is outside the project's folder`, 'Keep SQL files beside the loads that use them.');
  }
  try {
    if (!inside(realpathSync(full), realpathSync(folder.directory))) {
      return refuse(`\`${name}\` is a link to a file outside the project's folder`, 'Copy the file into the project.');
    }
    const file = toProjectPath(folder.directory, full);
    const decoded = decodeText(readFileSync(full));
    if ('text' in decoded) return { text: decoded.text, file, line: 1, column: 1 };
    problems.push({ file, ...decoded.wrong, severity: 'error' });
    return undefined;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'ENOENT' && code !== 'ENOTDIR') {
      return refuse(`the SQL file \`${name}\` cannot be read (${code ?? 'unknown reason'})`, 'Check its permissions.');
    }
    const known = folder.files.map((file) => toProjectPath(loadFolder, path.join(folder.directory, file)));
    const close = nearest(name, known);
    const hint = close === undefined ? '' : `: did you mean \`${close}\`?`;
    return refuse(`there is no SQL file \`${name}\`${hint}`, `It would be ${toProjectPath(folder.directory, full)}.`);
  }
}

function toProjectPath(from: string, file: string): string {
  return path.relative(from, file).split(path.sep).join('/');
}

/**
 * An inline scalar and where its first character stands. In a block scalar (`|`) every line stands that far to the right.
 * In a folded one (`>`), or one with escapes, only the first line's place is exact.
 */
function inlineSql(yaml: YamlFile, at: ValuePath, text: string): SqlSource {
  const scalar = yaml.scalar(at);
  const { file, line, column } = yaml.place(at);
  if (scalar?.type === 'BLOCK_LITERAL' || scalar?.type === 'BLOCK_FOLDED') {
    const lines = yaml.text.split('\n').slice(line);
    const firstText = text.split('\n').findIndex((part) => part.trim() !== '');
    const indentOf = (row: string): number => row.length - row.trimStart().length;
    const indent = indentOf(lines[firstText] ?? '') - indentOf(text.split('\n')[firstText] ?? '');
    return { text, file, line: line + 1, column: Math.max(indent, 0) + 1 };
  }
  const quoted = scalar?.type === 'QUOTE_DOUBLE' || scalar?.type === 'QUOTE_SINGLE';
  return { text, file, line, column: column + (quoted ? 1 : 0) };
}
