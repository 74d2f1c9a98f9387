import { SEARCH_ATTRIBUTES } from '../workflows/messages.ts';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { UnreachableError } from '../errors.ts';
import { temporalConfiguration } from '../temporal-configuration.ts';
import { freePort } from './free-port.ts';
import { commandLine, isAlive, startServerProcess, stopProcess, tail } from './server-process.ts';
import type { ServerProcess, StopSignals } from './server-process.ts';
import { temporaryDirectory } from './server-user.ts';
import { findTemporal } from './temporal-binary.ts';
import type { FindTemporalOptions } from './temporal-binary.ts';

export interface TemporalOptions extends Pick<FindTemporalOptions, 'external' | 'onProgress'> {
  /** Workflows survive a restart in this SQLite file; the server's log stands beside it. Absent: in memory. */
  dbFilename?: string;
  /** Absent: free ones. */
  port?: number;
  uiPort?: number;
  /** Default `default`. */
  namespace?: string;
  /** To be there besides. */
  moreNamespaces?: readonly string[];
  /** Settings of the server itself, as its dynamic configuration names them; values are JSON. */
  settings?: Record<string, string>;
  /** The server goes on when this process ends. Default: it ends with us, however we end. */
  outlivesUs?: boolean;
}

export interface TemporalServer {
  address: string;
  namespace: string;
  /** Undefined when it is somebody else's server: only they know where its UI is. */
  uiUrl: string | undefined;
  /** Undefined when it is somebody else's server. */
  pid: number | undefined;
  /** Configured by `TEMPORAL_ADDRESS` or a profile: `stop` leaves it alone. */
  external: boolean;
  /** Where it came from: PATH, the cache, a download, TEMPORAL_ADDRESS. */
  from: string;
  stop(): Promise<void>;
}

const STOP: StopSignals = [{ signal: 'SIGTERM', waitMs: 10_000 }];
/** What a server of one machine does well with. */
const SETTINGS = {
  // On by itself from 1.32 on: an activity that the worker of the workflow can run comes back with the answer to its workflow task,
  // which saves a poll for each.
  'system.enableActivityEagerExecution': 'true',
  // Four by default, for many machines: tasks and polls that meet in different ones are handed on from one to the other.
  'matching.numTaskqueueReadPartitions': '1',
  'matching.numTaskqueueWritePartitions': '1',
};
const START_MS = 30_000;
const PORT_ATTEMPTS = 5;

/**
 * Starts a Temporal dev server with its Web UI on loopback, or, where a person configured a server, checks that it answers.
 * A configured server that does not answer is an error, never a reason to start another in its place.
 *
 * @throws UnreachableError saying what was tried; ConfigurationError where what configures one cannot be read.
 */
export async function startTemporal(options: TemporalOptions = {}): Promise<TemporalServer> {
  const found = await findTemporal(options);
  if (found.kind === 'address') return useConfigured(found.address, found.from);

  const directory =
    options.dbFilename === undefined ? await temporaryDirectory('waybill-temporal-', undefined) : undefined;
  const logFile = join(directory ?? dirname(options.dbFilename!), 'temporal.log');
  const namespace = options.namespace ?? 'default';
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port ?? (await freePort());
    const uiPort = options.uiPort ?? (await freePort());
    const started = await startServerProcess({
      command: found.path,
      args: startArguments(port, uiPort, namespace, options),
      logFile,
      stopSignals: STOP,
      outlivesUs: options.outlivesUs,
      removeWhenOrphaned: directory === undefined ? [] : [directory],
    });
    if (await isUp(started)) {
      return {
        address: `127.0.0.1:${port}`,
        namespace,
        uiUrl: `http://127.0.0.1:${uiPort}`,
        pid: started.pid,
        external: false,
        from: found.from,
        stop: async () => {
          await started.stop();
          if (directory !== undefined) await rm(directory, { recursive: true, force: true });
        },
      };
    }
    const log = started.log();
    await started.stop();
    const portTaken = /address already in use|can't set (frontend|UI|http)? ?port/i.test(log);
    const ours = options.port === undefined || options.uiPort === undefined;
    if (portTaken && ours && attempt < PORT_ATTEMPTS) continue;
    if (directory !== undefined) await rm(directory, { recursive: true, force: true });
    throw new UnreachableError(`Temporal did not start (${started.ending() ?? 'no answer'}):\n${tail(log)}`, {
      where: `${found.path}, ports ${port} and ${uiPort}`,
      next: portTaken ? 'Give other ports, or end what listens there.' : 'Read the message above.',
    });
  }
}

/** Ends a dev server that outlived the process which started it. False when the process is gone, or is no Temporal. */
export async function stopTemporal(pid: number): Promise<boolean> {
  if (!isTemporal(pid)) return false;
  await stopProcess(pid, STOP);
  return true;
}

/** Whether the process is a Temporal dev server: a remembered number may be anybody's by now. */
export function isTemporal(pid: number): boolean {
  return isAlive(pid) && commandLine(pid)?.includes('server start-dev') === true;
}

function startArguments(
  port: number,
  uiPort: number,
  namespace: string,
  { dbFilename, moreNamespaces = [], settings = {} }: TemporalOptions,
): string[] {
  return [
    ...['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port), '--ui-port', String(uiPort)],
    ...[namespace, ...moreNamespaces].flatMap((name) => ['--namespace', name]),
    ...Object.entries(SEARCH_ATTRIBUTES).flatMap(([name, type]) => ['--search-attribute', `${name}=${type}`]),
    ...Object.entries({ ...SETTINGS, ...settings }).flatMap(([name, value]) => [
      '--dynamic-config-value',
      `${name}=${value}`,
    ]),
    ...(dbFilename === undefined ? [] : ['--db-filename', dbFilename]),
  ];
}

/** The server says its address once it serves: asking the port instead could be answered by somebody else's server. */
async function isUp(started: ServerProcess): Promise<boolean> {
  const deadline = Date.now() + START_MS;
  while (started.ending() === undefined && Date.now() < deadline) {
    if (/(Temporal )?Server:\s+\S+:\d+/.test(started.log())) return true;
    await sleep(50);
  }
  return false;
}

async function useConfigured(address: string, from: string): Promise<TemporalServer> {
  const { connectionOptions, namespace } = temporalConfiguration(process.env);
  try {
    const connection = await Connection.connect({ ...connectionOptions, address, connectTimeout: '5s' });
    await connection.close();
  } catch (cause) {
    throw new UnreachableError(`The Temporal server ${address} (from ${from}) does not answer.`, {
      next: `Start it, or unset ${from === 'TEMPORAL_ADDRESS' ? from : 'the profile'} so that Waybill starts one of its own.`,
      cause,
    });
  }
  return {
    ...{ address, namespace: namespace ?? 'default', uiUrl: undefined, pid: undefined, external: true, from },
    stop: () => Promise.resolve(),
  };
}
