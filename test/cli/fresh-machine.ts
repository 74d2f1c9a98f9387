/** A machine on which nobody has set anything up: no variables but a few of the system's, a temporary folder of its own. */
import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { spawnCli, type Answer, type Spawned } from './command-line.ts';
import { until } from '../engine/world.ts';

export class FreshMachine {
  private readonly mark = randomBytes(8).toString('hex');
  private readonly spawned: Spawned[] = [];

  private constructor(
    private readonly main: string,
    /** For projects; empty. */
    readonly home: string,
    private readonly temporary: string,
  ) {}

  /** `main`: the compiled program. */
  static async create(main: string): Promise<FreshMachine> {
    const home = await mkdtemp(join(tmpdir(), 'waybill-fresh-'));
    const temporary = await mkdtemp(join(tmpdir(), 'waybill-fresh-tmp-'));
    for (const folder of [home, temporary]) await chmod(folder, 0o711); // PostgreSQL's user must pass
    return new FreshMachine(main, home, temporary);
  }

  /** Starts the command line in the home folder. */
  spawn(argv: string[], more: NodeJS.ProcessEnv = {}): Spawned {
    const { PATH, HOME, XDG_CACHE_HOME, LANG } = process.env;
    const env = { PATH, HOME, XDG_CACHE_HOME, LANG, TMPDIR: this.temporary, WAYBILL_TEST_MARK: this.mark, ...more };
    const spawned = spawnCli([this.main], argv, { env, cwd: this.home });
    this.spawned.push(spawned);
    return spawned;
  }

  waybill(argv: string[], more?: NodeJS.ProcessEnv): Promise<Answer> {
    return this.spawn(argv, more).answer;
  }

  /** No process that it or its servers started is left, and nothing in the temporary folder. */
  async expectNothingLeft(): Promise<void> {
    expect(await this.processes(), 'processes left behind').toEqual([]);
    expect(await readdir(this.temporary), 'left in the temporary folder').toEqual([]);
  }

  /** The same, a moment after it was killed: shells end its servers then. */
  async becomesEmpty(): Promise<void> {
    await until(async () => (await this.processes()).length === 0 && (await readdir(this.temporary)).length === 0, 20);
  }

  /** What was started from here, servers included, and still runs. They all have our mark in their environment. */
  async processes(): Promise<string[]> {
    const found: string[] = [];
    for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
      const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
      if (!environment.includes(`WAYBILL_TEST_MARK=${this.mark}`)) continue;
      found.push((await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' '));
    }
    return found;
  }

  async remove(): Promise<void> {
    for (const { child } of this.spawned) if (child.exitCode === null) child.kill('SIGKILL');
    for (const folder of [this.home, this.temporary]) await rm(folder, { recursive: true, force: true });
  }
}
