/** What happened, for people and for the end: a line a fault, every answer of the command line, and what must not be. */
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Answer {
  argv: string[];
  exitCode: number | null;
  stdout: string;
  stderr: string;
  ms: number;
}

export class Diary {
  readonly faults = new Map<string, number>();
  readonly commands = new Map<string, number>();
  readonly problems: string[] = [];
  private readonly began = performance.now();

  constructor(private readonly folder: string) {}

  /** A line for whoever watches. */
  say(line: string): void {
    const text = `${this.clock()}  ${line}`;
    console.log(text);
    appendFileSync(join(this.folder, 'chaos.log'), `${text}\n`);
  }

  /** A line for the log only. */
  note(line: string): void {
    appendFileSync(join(this.folder, 'chaos.log'), `${this.clock()}  ${line}\n`);
  }

  fault(kind: string, what = ''): void {
    count(this.faults, kind);
    this.say(`${kind}${what && `: ${what}`}`);
  }

  /** Something that the promise rules out: the run ends with ✗. */
  problem(line: string): void {
    this.problems.push(line);
    this.say(`✗ ${line}`);
  }

  command({ argv, exitCode, stdout, stderr, ms }: Answer): void {
    count(this.commands, String(exitCode));
    const said = [stdout, stderr].map((text) => text.trimEnd()).filter(Boolean);
    const line = `${this.clock()}  waybill ${argv.join(' ')}  → ${String(exitCode)} after ${(ms / 1000).toFixed(1)} s`;
    appendFileSync(join(this.folder, 'commands.log'), `${[line, ...said].join('\n')}\n\n`);
  }

  /** No worker ends by itself but where it finds no database or no Temporal when it starts. */
  workerEnded(name: string, code: number | null, signal: NodeJS.Signals | null): void {
    if (code === UNREACHABLE) this.note(`${name} ended with ${code}: it reached no server`);
    else this.problem(`${name} ended by itself: ${signal ?? `exit code ${String(code)}`} (${name}.log)`);
  }

  private clock(): string {
    return `${((performance.now() - this.began) / 1000).toFixed(1).padStart(6)} s`;
  }
}

const UNREACHABLE = 5;

const count = (counts: Map<string, number>, name: string): void => void counts.set(name, (counts.get(name) ?? 0) + 1);
