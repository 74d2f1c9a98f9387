/** `npm run chaos`: tries to break the promise. `-- --help` says what it can. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { command } from '../bench/command.ts';
import { bundle } from '../src/worker/workflow-bundle.ts';
import { compileCli } from '../test/compile-cli.ts';
import { CommandLine } from './command-line.ts';
import { compare, landingTables, summary } from './compare.ts';
import { Diary } from './diary.ts';
import type { Scene } from './faults.ts';
import { HELP, parseOptions, type ChaosOptions } from './options.ts';
import { Random } from './random.ts';
import { Site } from './site.ts';
import { runToTheEnd, storm } from './storm.ts';

/** True when nothing was wrong. */
async function chaos({ minutes, seed, server }: ChaosOptions): Promise<boolean> {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-chaos-'));
  const diary = new Diary(folder);
  diary.say(
    `chaos on ${server}, ${minutes} min, again by: npm run chaos -- --minutes ${minutes} --seed ${seed} --server ${server}`,
  );
  const compiled = await compileCli((await bundle()).code);
  const site = await Site.open(server, folder, compiled.main, diary);
  try {
    const scene: Scene = {
      site,
      diary,
      cli: new CommandLine(site, compiled.main, diary),
      random: new Random(seed, 'faults'),
    };
    const client = await site.connect();
    const landing = await landingTables(client);
    await client.end();
    await site.workersWork();
    const writers = await storm(scene, minutes, seed);
    if (!(await runToTheEnd(scene))) diary.problem('no run came to a good end when the faults were over');
    await site.stopWorkers();
    await compare(scene, writers, landing);
    diary.say(`over\n${await summary(scene, writers)}`);
  } catch (error) {
    diary.problem(`chaos itself broke: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  } finally {
    await site.close();
    await compiled.remove();
  }
  const { problems } = diary;
  if (problems.length === 0) await rm(folder, { recursive: true, force: true });
  console.log(
    problems.length === 0 ? '✓ every row once, and nothing left behind' : `✗ ${problems.join('\n✗ ')}\nlogs: ${folder}`,
  );
  return problems.length === 0;
}

process.exit(await command(parseOptions, HELP, chaos));
