import { createServer } from 'node:net';
import path from 'node:path';
import { temporalTarget, type TemporalTarget } from '../client/temporal-target.ts';
import { startTemporal, type TemporalServer } from '../dev/temporal-server.ts';
import { startDevDatabases, unsetUrls, withoutSchema, type DevDatabaseServer } from './dev-databases.ts';
import { takeDevFolder } from './dev-folder.ts';

/** What `waybill dev` has started, or found. */
export interface DevServers {
  temporal: TemporalServer;
  target: TemporalTarget;
  /** None: every connection has a URL of its own. */
  databases: DevDatabaseServer[];
  /** URLs of their databases, by variable. */
  variables: Record<string, string>;
  /** Ends what was started here, and only that. */
  stop(): Promise<void>;
}

export interface DevServerOptions {
  folder: string;
  env: NodeJS.ProcessEnv;
  /** Databases and Temporal's history stay in the project's `.waybill/dev`. Default: nothing stays. */
  keepData: boolean;
  say: (text: string) => void;
}

/** Starts a Temporal server, unless one is configured, and servers for the connections that have no URL. */
export async function startDevServers({ folder, env, keepData, say }: DevServerOptions): Promise<DevServers> {
  temporalTarget(env); // what is wrong in it is said before anything is started
  const unset = await unsetUrls(folder, env);
  for (const { variable, connection } of withoutSchema(unset)) {
    say(`${variable} is not set, and no schema/${connection}.sql makes its tables: an empty PostgreSQL stands in`);
  }
  const kept = path.join(folder, '.waybill', 'dev');
  const giveBack = keepData ? await takeDevFolder(kept) : undefined;
  // Side by side, but neither may be left running when the other does not start.
  const [temporal, databases] = await Promise.allSettled([
    startDevTemporal(keepData ? path.join(kept, 'temporal.db') : undefined, say),
    unset.length === 0 ? undefined : startDevDatabases(unset, { keepIn: keepData ? kept : undefined, onProgress: say }),
  ]);
  const stop = async (): Promise<void> => {
    if (temporal.status === 'fulfilled') await temporal.value.stop();
    if (databases.status === 'fulfilled') await databases.value?.stop();
    giveBack?.();
  };
  if (temporal.status === 'fulfilled' && databases.status === 'fulfilled') {
    return {
      temporal: temporal.value,
      target: targetOf(temporal.value, env),
      databases: databases.value?.servers ?? [],
      variables: databases.value?.variables ?? {},
      stop,
    };
  }
  await stop();
  throw temporal.status === 'rejected' ? temporal.reason : (databases as PromiseRejectedResult).reason;
}

/** On Temporal's usual ports if they are free: then other terminals find it without being told. */
async function startDevTemporal(dbFilename: string | undefined, say: (text: string) => void): Promise<TemporalServer> {
  const options = { ...(dbFilename !== undefined && { dbFilename }), onProgress: say };
  if ((await isFree(7233)) && (await isFree(8233))) {
    try {
      return await startTemporal({ ...options, port: 7233, uiPort: 8233 });
    } catch (error) {
      if ((await isFree(7233)) && (await isFree(8233))) throw error; // not the ports: somebody took none of them
    }
  }
  return startTemporal(options);
}

function targetOf({ external, address, namespace }: TemporalServer, env: NodeJS.ProcessEnv): TemporalTarget {
  return external ? temporalTarget(env) : { connection: { address }, address, namespace };
}

async function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
