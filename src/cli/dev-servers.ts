import { mkdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { parse } from 'yaml';
import type { TemporalTarget } from '../client/connect.ts';
import { temporalTarget } from '../client/connect.ts';
import { startPostgres, type PostgresServer } from '../dev/postgres-server.ts';
import { startTemporal, type TemporalServer } from '../dev/temporal-server.ts';
import { createDatabase } from './dev-database.ts';

/** What `waybill dev` has started, or found. */
export interface DevServers {
  temporal: TemporalServer;
  target: TemporalTarget;
  /** Undefined: every connection has a URL of its own. */
  postgres: PostgresServer | undefined;
  /** Variables that name the embedded databases, by variable. */
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

/** Starts a Temporal server, unless one is configured, and a PostgreSQL for the connections that have no URL. */
export async function startDevServers({ folder, env, keepData, say }: DevServerOptions): Promise<DevServers> {
  const missing = await missingUrls(folder, env);
  const kept = path.join(folder, '.waybill', 'dev');
  if (keepData) await mkdir(kept, { recursive: true });
  // Side by side, but neither may be left running when the other does not start.
  const [temporal, postgres] = await Promise.allSettled([
    startDevTemporal(keepData ? path.join(kept, 'temporal.db') : undefined, say),
    missing.size === 0
      ? undefined
      : startPostgres(keepData ? { dataDirectory: path.join(kept, 'postgres'), persistent: true } : {}),
  ]);
  const stop = async (): Promise<void> => {
    if (temporal.status === 'fulfilled') await temporal.value.stop();
    if (postgres.status === 'fulfilled') await postgres.value?.stop();
  };
  try {
    if (temporal.status === 'rejected') throw temporal.reason;
    if (postgres.status === 'rejected') throw postgres.reason;
    const variables: Record<string, string> = {};
    for (const [variable, connection] of missing) {
      await createDatabase(postgres.value!.url(), connection);
      variables[variable] = postgres.value!.url(connection);
    }
    return {
      temporal: temporal.value,
      target: targetOf(temporal.value, env),
      postgres: postgres.value,
      variables,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
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

/** Variables that stand alone as a connection's URL and are not set → the connection's name. */
async function missingUrls(folder: string, env: NodeJS.ProcessEnv): Promise<Map<string, string>> {
  const text = await readFile(path.join(folder, 'waybill.yaml'), 'utf8');
  const missing = new Map<string, string>();
  for (const [connection, url] of urlsOf(text)) {
    const [, variable] = /^\$\{([A-Za-z_]\w*)\}$/.exec(url.trim()) ?? [];
    if (variable !== undefined && (env[variable] ?? '') === '' && !missing.has(variable))
      missing.set(variable, connection);
  }
  return missing;
}

/** Of a file that may be wrong: what is wrong in it is said when the project is loaded. */
function urlsOf(text: string): [string, string][] {
  try {
    const { connections } = parse(text) as { connections?: Record<string, { url?: unknown } | null> };
    return Object.entries(connections ?? {}).flatMap(([name, connection]): [string, string][] =>
      typeof connection?.url === 'string' ? [[name, connection.url]] : [],
    );
  } catch {
    return [];
  }
}

async function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
