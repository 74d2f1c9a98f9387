import { hostname } from 'node:os';
import {
  NativeConnection,
  type NativeConnectionOptions,
  Runtime,
  Worker,
  DefaultLogger,
  makeTelemetryFilterString,
  type WorkflowBundleOption,
} from '@temporalio/worker';
import { Client, Connection } from '@temporalio/client';
import { IllegalStateError } from '@temporalio/common';
import type { Logger } from 'pino';
import { createActivities } from '../activities/activities.ts';
import type { Engine } from '../activities/engine.ts';
import { HeartbeatInterceptor } from '../activities/heartbeat.ts';
import { noteSession } from '../activities/lock-waits.ts';
import { ProjectInterceptor } from '../activities/project-interceptor.ts';
import { temporalFailure, temporalUnreachable } from '../client/connect.ts';
import { databaseFailure, ledgerOf } from '../client/ledger.ts';
import { temporalTarget, type TemporalTarget } from '../client/temporal-target.ts';
import { refuseOthersQueue, workerIdentity } from '../client/workers.ts';
import { loadProject, type LoadedProject } from '../config/load-project.ts';
import { writtenConnections } from '../config/written-connections.ts';
import { migrate } from '../control/migrate.ts';
import { Databases } from '../database/databases.ts';
import { searchAttributes } from './search-attributes.ts';
import { workflowBundle } from './workflow-bundle.ts';

export interface WorkerOptions {
  /** The project folder. */
  project: string;
  log: Logger;
  temporal?: TemporalTarget;
  /** Bring control tables up to date first. Default true; else they have to be. */
  migrate?: boolean;
  /** Continue loads as new after so many history events. Default: when Temporal suggests it (4,096). */
  historyLimit?: number;
  /** Milliseconds that an acquisition waits for transactions on its source. Default: 5 minutes. */
  settleLimitMs?: number;
  /** Milliseconds that the drop of a published snapshot waits for its readers. Default: 5 minutes. */
  dropLimitMs?: number;
  /** Milliseconds at most between two attempts of a chunk. Default: 30 s, which is what a full disk is given. */
  longestBackoffMs?: number;
  /** Chunks of one transaction, at most. Default: 64, as long as they are small. */
  mostShared?: number;
  /** Milliseconds that bad rows of a chunk are searched within its transaction. Default: 1 s. */
  searchMs?: number;
  /** Rows that a transaction of a roll back deletes, about. Default: 100,000. */
  rollBackRows?: number;
  env?: NodeJS.ProcessEnv;
  /** Milliseconds that activities get to end by themselves after `stop`. Default 20,000. */
  graceMs?: number;
  /** The workflows, bundled before. Default: those that the build made, else bundled once a process. */
  bundle?: WorkflowBundleOption;
}

export interface RunningWorker {
  /** Resolves when the worker has stopped; rejects when it broke. */
  readonly done: Promise<void>;
  readonly databases: Databases;
  /** Lanes end after their chunk; resolves when everything has. */
  stop(): Promise<void>;
}

/**
 * Activities at once. How many lanes work at a time `max_connections` bounds: those that wait for a place there do nothing, and the
 * fence of a load that is cancelled must not wait until some of them have ended, as it would with the SDK's own 100.
 */
const MOST_ACTIVITIES = 1_000;

/** How long activities get to end by themselves after `stop`, before they are cancelled. */
const GRACE_MS = 20_000;

/**
 * Starts a worker for the project's task queue and returns once it polls. Throws `ConfigurationError` where another project's workers poll
 * that queue, or the control tables are not, and cannot be made, those of this version.
 */
export async function startWorker(options: WorkerOptions): Promise<RunningWorker> {
  const { log } = options;
  const project = await loadProject(options.project, { env: options.env ?? process.env });
  const target = options.temporal ?? temporalTarget(options.env);
  installRuntime(log);
  const databases = new Databases(project.connections, noteSession);
  let connection: NativeConnection;
  let client: Client;
  try {
    connection = await NativeConnection.connect(target.connection as NativeConnectionOptions);
    client = new Client({
      connection: await Connection.connect({ ...target.connection, connectTimeout: '20 seconds' }),
      namespace: target.namespace,
    });
  } catch (error) {
    await databases.close();
    throw temporalUnreachable(target.address, error);
  }
  const close = async (): Promise<void> => {
    await databases.close();
    await client.connection.close();
    await connection.close();
  };
  try {
    await refuseOthersQueue(client, project, (text) => log.warn(text));
  } catch (error) {
    await close();
    throw temporalFailure(target, error);
  }
  await readyTables(databases, project, options.migrate ?? true, log);

  let stopping = false;
  const engine: Engine = {
    databases,
    loadProject: () => loadProject(options.project, { env: options.env ?? process.env }),
    client,
    worker: `${hostname()}:${process.pid}`,
    stopping: () => stopping,
    searchAttributes: searchAttributes(client, target.namespace, log),
    historyLimit: options.historyLimit,
    settleLimitMs: options.settleLimitMs,
    dropLimitMs: options.dropLimitMs,
    longestBackoffMs: options.longestBackoffMs,
    mostShared: options.mostShared,
    rollBackRows: options.rollBackRows,
    searchMs: options.searchMs,
    log,
  };
  const worker = await Worker.create({
    connection,
    namespace: target.namespace,
    taskQueue: project.taskQueue,
    identity: workerIdentity(project.name),
    workflowBundle: options.bundle ?? (await workflowBundle()),
    activities: createActivities(engine),
    interceptors: {
      activity: [
        (context) => ({ inbound: new ProjectInterceptor(project.name, context.info.activityType) }),
        (context) => ({ inbound: new HeartbeatInterceptor(context) }),
      ],
    },
    // A task that fails for ever looks as if the load hung. What ends instead is healed by the next start: an error of the
    // workflow's code, and that of a version whose steps are not those of the version that began it.
    workflowFailureErrorTypes: { '*': ['Error'] },
    // A cancelled lane hears of it with its next heartbeat: the default of a minute is too late.
    maxHeartbeatThrottleInterval: '3 seconds',
    defaultHeartbeatThrottleInterval: '3 seconds',
    maxConcurrentActivityTaskExecutions: MOST_ACTIVITIES,
    shutdownGraceTime: options.graceMs ?? GRACE_MS,
  });
  const done = worker.run().finally(close);
  done.catch(() => undefined); // whoever wants to know awaits it
  return {
    done,
    databases,
    stop: async () => {
      stopping = true;
      if (worker.getState() === 'RUNNING') worker.shutdown();
      await done;
    },
  };
}

/** There is one in a process; whoever came first, with a worker of any kind, has said how it is. */
function installRuntime(log: Logger): void {
  try {
    Runtime.install({
      shutdownSignals: [], // who started the worker hears signals: a cancelled run still needs it to roll back
      // The native part's lines go the same way as ours, not past the log to standard error.
      telemetryOptions: {
        logging: { forward: {}, filter: makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }) },
      },
      logger: new DefaultLogger('WARN', (entry) => log.warn({ temporal: entry.meta }, entry.message)),
    });
  } catch (error) {
    if (!(error instanceof IllegalStateError)) throw error;
  }
}

/** The control tables are those of this version before the first load comes. */
async function readyTables(
  databases: Databases,
  project: LoadedProject,
  mayMigrate: boolean,
  log: Logger,
): Promise<void> {
  for (const name of writtenConnections(project)) {
    if (!mayMigrate) {
      await ledgerOf({ databases, project }, name);
      continue;
    }
    const database = databases.get(name);
    const applied = await migrate(database, project.name).catch((error: unknown) => {
      throw databaseFailure(database, error);
    });
    if (applied.length > 0) log.info({ connection: name, applied }, 'control tables brought up to date');
  }
}
