import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Command } from 'commander';
import { errorView } from '../client/error-view.ts';
import { Waybill, type OpenOptions } from '../client/waybill.ts';
import type { Project } from '../config/definition.ts';
import { ProjectError } from '../config/problem.ts';
import { ConfigurationError, WaybillError } from '../errors.ts';
import { indent } from './format.ts';
import type { Io } from './io.ts';
import { UsageError } from './usage-error.ts';

/** The options that stand before or after every command. */
export interface GlobalOptions {
  project?: string;
  json?: boolean;
}

/** Adds one command: its words, options and help stand in its file. `done` takes the exit code. */
export type AddCommand = (program: Command, cli: Cli, done: (exitCode: number) => void) => void;

/** What every command needs: where the project is, and how to say things. */
export class Cli {
  options: GlobalOptions = {};

  constructor(readonly io: Io) {}

  get json(): boolean {
    return this.options.json === true;
  }

  /** `--project`, else the nearest folder from here up that has a waybill.yaml. */
  get projectFolder(): string {
    if (this.options.project !== undefined) {
      const folder = path.resolve(this.io.cwd, this.options.project);
      if (existsSync(path.join(folder, 'waybill.yaml'))) return folder;
      throw new UsageError(`there is no waybill.yaml in ${folder}`, {
        next: `give the project folder with --project, or make one: waybill init ${this.options.project}`,
      });
    }
    for (let folder = path.resolve(this.io.cwd); ; folder = path.dirname(folder)) {
      if (existsSync(path.join(folder, 'waybill.yaml'))) return folder;
      if (folder === path.dirname(folder)) break;
    }
    throw new UsageError(`there is no waybill.yaml in ${this.io.cwd}, nor in a folder above it`, {
      next: 'go to the project folder, name it with --project DIR, or make one: waybill init DIR',
    });
  }

  /**
   * Opens the project, does the work, closes it whatever happened. `check` looks at what the command was given, where the files
   * alone can tell whether it is wrong: it is asked when the project cannot be opened, so that both are said at once.
   */
  async withWaybill<T>(
    work: (waybill: Waybill) => Promise<T>,
    { check, ...options }: Partial<OpenOptions> & { check?: (project: Project) => unknown } = {},
  ): Promise<T> {
    const at = { project: this.projectFolder, env: this.io.env, ...options };
    const waybill = await Waybill.open(at).catch(async (error: unknown) => {
      throw check && error instanceof ConfigurationError ? await withWrongArgument(at, check, error) : error;
    });
    try {
      return await work(waybill);
    } finally {
      await waybill.close();
    }
  }

  /** For people: standard output, and nothing with `--json`. */
  say(text: string): void {
    if (!this.json) this.io.stdout.write(`${text}\n`);
  }

  /** What happens meanwhile: standard error, so that it is never mixed with what a command answers. */
  note(text: string): void {
    this.io.stderr.write(`${text}\n`);
  }

  /** The document of `--json`, on one line. */
  document(value: unknown): void {
    if (this.json) this.io.stdout.write(`${JSON.stringify(value)}\n`);
  }

  /** The same with a list that is as long as it is: it stands last, and is written as it comes. */
  async documentWith(value: Record<string, unknown>, key: string, pieces: AsyncIterable<unknown[]>): Promise<void> {
    const others = Object.entries(value).filter(([name]) => name !== key);
    await this.write(JSON.stringify(Object.fromEntries([...others, [key, []]])).slice(0, -2));
    let between = '';
    for await (const items of pieces) {
      if (!(await this.write(between + items.map((item) => JSON.stringify(item)).join(',')))) return;
      between = ',';
    }
    await this.write(']}\n');
  }

  /** Standard output, at the speed of whoever reads it; false: nobody does any more (`| head`), and more is for nothing. */
  write(text: string): Promise<boolean> {
    return new Promise((resolve) => this.io.stdout.write(text, (error) => resolve(!error)));
  }

  /** One clear message: what, where, what next. A stack trace only with WAYBILL_DEBUG=1. */
  complain(error: unknown): void {
    const { message, where, next } = errorView(error);
    const lines = [`waybill: ${message}`];
    if (where !== null) lines.push(`  where: ${indent(where, 9)}`);
    if (next !== null) lines.push(`  next:  ${indent(next, 9)}`);
    if (!(error instanceof WaybillError))
      lines.push('  This should not happen. WAYBILL_DEBUG=1 shows where it came from.');
    if (this.io.env['WAYBILL_DEBUG'] === '1' && error instanceof Error) lines.push(stacks(error));
    this.note(lines.join('\n'));
  }
}

function stacks(error: Error): string {
  const own = error.stack ?? error.message;
  return error.cause instanceof Error ? `${own}\ncaused by ${stacks(error.cause)}` : own;
}

/** What is wrong in the command first: it is shorter. */
async function withWrongArgument(
  at: OpenOptions,
  check: (project: Project) => unknown,
  error: ConfigurationError,
): Promise<ConfigurationError> {
  try {
    const { project } = await Waybill.open({ ...at, allowMissingEnvironment: true });
    check(project);
    return error;
  } catch (wrong) {
    if (!(wrong instanceof ConfigurationError) || wrong instanceof ProjectError) return error; // the files themselves are wrong
    return new ConfigurationError(`${wrong.message}; besides, ${error.message}`, {
      where: [wrong.where, error.where].filter(Boolean).join('; '),
      next: [wrong.next, error.next].filter(Boolean).join('\n'),
      cause: error,
    });
  }
}
