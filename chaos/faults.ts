/** What can go wrong, each as likely as its weight says. Each leaves everything as it found it, but for what the promise is about. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { CommandLine } from './command-line.ts';
import type { Diary } from './diary.ts';
import { FORCEABLE, LOADS, SESSION } from './project.ts';
import type { TestClient } from '../test/engine/test-client.ts';
import type { Random } from './random.ts';
import type { Site } from './site.ts';

export interface Scene {
  site: Site;
  diary: Diary;
  cli: CommandLine;
  random: Random;
}

export interface Fault {
  kind: string;
  weight: number;
  /** Two of one part at once would be one: these wait for each other. */
  part?: 'database' | 'temporal' | 'proxy' | 'settings';
  happen(scene: Scene, kind: string): Promise<void>;
}

/** Two out of three faults that name a load mean one of those that take long. */
const LONG = ['core.fact', 'services.fact', 'acquisition.event'];
const aLoad = (random: Random): string => (random.chance(2 / 3) ? random.pick(LONG) : random.pick(LOADS));
/** What holds a swap up, and how. */
const LOCKS = [
  ['a reader', 'select count(*) from ?'],
  ['a writer', 'delete from ? where n < 0'],
] as const;
const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

/** A command of a person, whose answer is one of many that are right; `command-line.ts` looks at it. */
async function person({ cli, diary, random }: Scene, kind: string, ...argv: string[]): Promise<number | null> {
  diary.fault(kind, argv.join(' '));
  return (await cli.waybill(...argv, ...(random.chance(0.5) ? ['--json'] : []))).exitCode;
}

const workers: Fault[] = [
  {
    kind: 'SIGKILL of a worker',
    weight: 8,
    happen: async ({ site, diary, random }, kind) => {
      const [name, pause] = [random.pick(site.workers), random.chance(0.3) ? 15_000 : random.between(0, 4_000)];
      if (name === undefined) return;
      diary.fault(kind, `${name}; another one after ${seconds(pause)}`);
      site.killWorker(name, pause);
      await Promise.resolve();
    },
  },
  {
    kind: 'SIGKILL of all workers',
    weight: 3,
    happen: async ({ site, diary, random }, kind) => {
      const pause = random.between(0, 8_000);
      diary.fault(kind, `others after ${seconds(pause)}`);
      for (const name of site.workers) site.killWorker(name, pause);
      await Promise.resolve();
    },
  },
  {
    kind: 'SIGSTOP of a worker',
    weight: 6,
    happen: async ({ site, diary, random }, kind) => {
      const [name, ms] = [random.pick(site.workers), random.between(500, 20_000)];
      if (name === undefined) return;
      diary.fault(kind, `${name}, for ${seconds(ms)}`);
      await site.freezeWorker(name, ms);
    },
  },
];

const servers: Fault[] = [
  {
    kind: 'crash of the database server',
    weight: 4,
    part: 'database',
    happen: async ({ site, diary, random }, kind) => {
      const pause = random.between(0, 5_000);
      diary.fault(kind, `back after ${seconds(pause)}`);
      await site.crashDatabase(pause);
    },
  },
  {
    kind: 'end of a connection',
    weight: 8,
    part: 'database',
    happen: async ({ site, diary, random }, kind) => {
      await until(site, 'chaos', async (client) => {
        const { connections, atWork } = site.words;
        const working = (await client.query<{ id: number | string }>(atWork)).rows;
        const all = (await client.query<{ id: number | string }>(connections)).rows;
        const id = String(random.pick(working.length > 0 && random.chance(0.7) ? working : all).id);
        diary.fault(kind, id);
        await site.endConnection(client, id);
      });
    },
  },
  {
    kind: 'COMMIT without an answer',
    weight: 6,
    part: 'proxy',
    happen: async ({ site, diary, random }, kind) => {
      const [cut, pause] = [random.pick(['lost', 'unanswered'] as const), random.between(0, 1_500)];
      diary.fault(kind, `${cut}, then nothing for ${seconds(pause)}`);
      await site.cutCommit(cut, pause);
    },
  },
  {
    kind: 'crash of Temporal',
    weight: 3,
    part: 'temporal',
    happen: async ({ site, diary, random }, kind) => {
      const pause = random.between(0, 12_000);
      diary.fault(kind, `back after ${seconds(pause)}`);
      await site.crashTemporal(pause, { forgets: false });
    },
  },
  {
    kind: 'loss of Temporal’s history',
    weight: 1,
    part: 'temporal',
    happen: async ({ site, diary }, kind) => {
      diary.fault(kind);
      await site.crashTemporal(0, { forgets: true });
    },
  },
  {
    kind: 'lock on a landing table',
    weight: 4,
    happen: async ({ site, diary, random }, kind) => {
      const [table, ms] = [random.pick(['acq.note', 'acq.tag', 'acq.event']), random.between(1_000, 8_000)];
      const [how, lock] = random.pick(LOCKS);
      diary.fault(kind, `${table}, by ${how}, for ${seconds(ms)}`);
      await until(site, 'somebody', async (client) => {
        await client.query(`begin; ${lock.replace('?', table)}`);
        await sleep(ms);
        await client.query('rollback');
      });
    },
  },
];

const people: Fault[] = [
  {
    kind: 'cancel',
    weight: 5,
    happen: async (scene, kind) => {
      await person(scene, kind, 'cancel', scene.random.chance(0.2) ? SESSION : aLoad(scene.random));
    },
  },
  {
    kind: 'run --force',
    weight: 5,
    happen: async (scene, kind) => {
      const { random } = scene;
      await person(scene, kind, 'run', random.chance(0.6) ? random.pick(LONG) : random.pick(FORCEABLE), '--force');
    },
  },
  {
    kind: 'another run',
    weight: 6,
    happen: async (scene, kind) => {
      await person(
        scene,
        kind,
        'run',
        scene.random.chance(0.3) ? SESSION : aLoad(scene.random),
        ...(scene.random.chance(0.2) ? ['--detach'] : []),
      );
    },
  },
  {
    kind: 'run --resume',
    weight: 2,
    happen: async (scene, kind) => {
      await person(scene, kind, 'run', 'core.region', '--resume');
    },
  },
  {
    kind: 'lanes',
    weight: 3,
    happen: async (scene, kind) => {
      await person(scene, kind, 'lanes', aLoad(scene.random), String(scene.random.whole(1, 6)));
    },
  },
  {
    kind: 'pause',
    weight: 3,
    happen: async (scene, kind) => {
      const load = aLoad(scene.random);
      if ((await person(scene, kind, 'pause', load)) !== 0) return;
      await sleep(scene.random.between(200, 4_000));
      await scene.cli.waybill('resume', load);
    },
  },
  {
    kind: 'a look',
    weight: 3,
    happen: async (scene, kind) => {
      const { random } = scene;
      await person(
        scene,
        kind,
        ...random.pick([['status'], ['plan', aLoad(random)], ['show', String(random.whole(1, 30))], ['validate']]),
      );
    },
  },
  {
    kind: 'terminate',
    weight: 4,
    happen: async ({ site, diary, random }, kind) => {
      const id = random.chance(0.2) ? `session/${SESSION}` : `load/${aLoad(random)}`;
      diary.fault(kind, `${id}: ${await site.terminate(id)}`);
    },
  },
  {
    kind: 'something wrong in the data',
    weight: 6,
    part: 'settings',
    happen: async ({ site, diary, random }, kind) => {
      const [row, ms] = [random.chance(0.5), random.between(2_000, 25_000)];
      diary.fault(kind, `${row ? 'rows that cannot be computed' : 'a check that fails'}, mended after ${seconds(ms)}`);
      await setTo(site, row ? 'divisor = 0' : 'wrong = 1');
      await sleep(ms);
      await setTo(site, 'divisor = 1, wrong = 0');
    },
  },
];

export const FAULTS: readonly Fault[] = [...workers, ...servers, ...people];

const setTo = (site: Site, settings: string): Promise<void> =>
  until(site, 'chaos', async (client) => void (await client.query(`update core.settings set ${settings}`)));

/** Until it is done, whatever the server is at. */
async function until(site: Site, name: string, work: (client: TestClient) => Promise<void>): Promise<void> {
  for (;;) {
    const client = await site.connect(name);
    try {
      return await work(client);
    } catch {
      await sleep(200); // its connection was ended
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}
