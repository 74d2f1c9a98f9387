import type { Client } from '@temporalio/client';
import { loadProject, type LoadedProject } from '../config/load-project.ts';
import { migrate, migrationScript } from '../control/migrate.ts';
import type { ChunkReading } from '../control/reading.ts';
import { Databases } from '../database/databases.ts';
import type { SteerResult } from '../workflows/messages.ts';
import { temporalTarget, type TemporalTarget } from './temporal-target.ts';
import { unknownServerError } from '../config/unknown-server.ts';
import { writtenConnections } from '../config/written-connections.ts';
import type { ClientContext } from './context.ts';
import type { RunFollower } from './follow-run.ts';
import { databaseFailure, findWrittenBatch } from './ledger.ts';
import { findLoad, findName } from './names.ts';
import type { LoadPreview } from './preview-load.ts';
import { readOutput, shownLoads } from './read-output.ts';
import type { Status } from './read-status.ts';
import type { RunEnd } from './run-end.ts';
import { readBatchDetails, readRanges, type BatchDetails } from './show-batch.ts';
import type { RunOptions } from './start-run.ts';
import type { Steering } from './steer.ts';
import { validateFiles, validateProject, type Validation } from './validate-project.ts';
import { isUnfinished } from '../control/states.ts';
import { LoadFailedError } from '../errors.ts';

export interface OpenOptions {
  /** The folder of `waybill.yaml`. */
  project: string;
  /** Where `${NAME}` and `TEMPORAL_*` come from. Default: the process's environment. */
  env?: NodeJS.ProcessEnv;
  /** Where Temporal is. Default: what the environment says. */
  temporal?: TemporalTarget;
  /** Open it although variables of connection URLs are not set: the files can be validated. Default false. */
  allowMissingEnvironment?: boolean;
}

/**
 * A project and its verbs, the same as on the command line. Nothing is connected before it is needed; `close` when done.
 * Methods throw the classes of `errors.ts`.
 *
 * What talks to Temporal is imported where it is used: its client takes as long to load as all else together, and `validate` or
 * a wrong name do without.
 */
export class Waybill {
  private client: Promise<Client> | undefined;
  private readonly context: ClientContext;

  private constructor(
    readonly project: LoadedProject,
    target: TemporalTarget,
    env: NodeJS.ProcessEnv,
  ) {
    this.context = {
      project,
      databases: new Databases(project.connections),
      target,
      env,
      temporal: (patienceMs) => (this.client ??= this.connect(patienceMs)),
    };
  }

  /** Reads and checks the project's files. Throws `ProjectError` with every problem in them. */
  static async open(options: OpenOptions): Promise<Waybill> {
    const env = options.env ?? process.env;
    const { allowMissingEnvironment = false } = options;
    const project = await loadProject(options.project, { env, allowMissingEnvironment });
    return new Waybill(project, options.temporal ?? temporalTarget(env), env);
  }

  /** Where Temporal is, for links and messages. */
  get temporal(): TemporalTarget {
    return this.context.target;
  }

  /**
   * Starts a load or session (or joins the one that runs: `attach`, `force`) and gives what follows it. Throws
   * `AlreadyRunningError`; `UnreachableError` when Temporal does not answer or no worker polls.
   */
  async run(name: string, options: RunOptions = {}): Promise<RunFollower> {
    const named = findName(this.project, name);
    const [{ startRun }, { RunFollower }] = await Promise.all([import('./start-run.ts'), import('./follow-run.ts')]);
    const started = await startRun(this.context, named, options);
    return new RunFollower(this.context, await this.context.temporal(), named, started);
  }

  /** Follows the newest run of a load or session, which may have ended. */
  async follow(name: string): Promise<RunFollower> {
    const named = findName(this.project, name);
    const [{ describeRun }, { RunFollower }] = await Promise.all([import('./start-run.ts'), import('./follow-run.ts')]);
    const client = await this.context.temporal();
    const run = await describeRun(this.context, client, named.workflowId);
    if (!run) throw new LoadFailedError(`Temporal knows no run of ${name}`, { where: `workflow ${named.workflowId}` });
    const { workflowId } = named;
    return new RunFollower(this.context, client, named, { workflowId, firstRunId: run.firstRunId, how: 'attached' });
  }

  /** The newest batch of every load, of one load, or of a session's loads, and what Temporal says of them, if it answers. */
  async status(name?: string): Promise<Status> {
    const { readStatus } = await import('./read-status.ts');
    return readStatus(this.context, name);
  }

  /** Everything about one batch: `114`, or `warehouse/114`. */
  async show(batch: string): Promise<BatchDetails> {
    const found = await findWrittenBatch(this.context, batch);
    const details = await readBatchDetails(found.database, found.batch);
    if (!isUnfinished(found.batch.state)) return details;
    const { readRun, whatHoldsUp } = await import('./read-status.ts');
    const run = await readRun(this.context, found.batch);
    if (!run) return details;
    const view = { ...details.view, ...whatHoldsUp(run) };
    return { ...details, view, next: view.stuck?.next ?? details.next };
  }

  /** All ranges of a batch in order, some thousand at a time; `show` has the slowest ones. */
  async *ranges(batch: string): AsyncGenerator<ChunkReading[]> {
    const found = await findWrittenBatch(this.context, batch);
    try {
      yield* readRanges(found.database, found.batch);
    } catch (error) {
      throw databaseFailure(found.database, error);
    }
  }

  /** Writes what tasks of a run show on standard output, until `write` says that nobody reads it; false: nothing is to be shown. */
  async showOutput(end: RunEnd, write: (text: string) => Promise<boolean>): Promise<boolean> {
    const loads = shownLoads(this.context, end);
    for (const { load, batch_id: batchId } of loads) {
      for await (const text of readOutput(this.context, load, batchId!)) {
        if (!(await write(text))) return true;
      }
    }
    return loads.length > 0;
  }

  /** Asks a load or session to end; the follower sees it roll back. Throws `LoadFailedError` when it does not run. */
  async cancel(name: string, by: { requestedBy?: string; reason?: string } = {}): Promise<RunFollower> {
    const { cancelRun } = await import('./steer.ts');
    return cancelRun(this.context, name, by);
  }

  /** Lanes stop after the chunk that they are at, until `resume`. */
  pause(name: string): Promise<SteerResult> {
    return this.steer(name, { update: 'pause' });
  }

  resume(name: string): Promise<SteerResult> {
    return this.steer(name, { update: 'resume' });
  }

  /** Changes how many chunks of a stage run at once, from now on and for this run only. */
  lanes(name: string, lanes: number): Promise<SteerResult> {
    return this.steer(name, { update: 'setLanes', lanes });
  }

  /** What a start would do now; nothing is touched. */
  async plan(load: string): Promise<LoadPreview> {
    const { previewLoad } = await import('./preview-load.ts');
    return previewLoad(this.context, findLoad(this.project, load));
  }

  /** Asks the databases whether tables, columns and SQL are right. Files have been checked when it was opened. */
  validate(options: { filesOnly?: boolean } = {}): Promise<Validation> {
    return options.filesOnly === true ? Promise.resolve(validateFiles(this.context)) : validateProject(this.context);
  }

  /** Brings the control tables of every written connection up to date: file names that were applied, by connection. */
  async migrate(): Promise<Record<string, string[]>> {
    const applied: Record<string, string[]> = {};
    for (const connection of writtenConnections(this.project)) {
      const database = this.context.databases.get(connection);
      try {
        applied[connection] = await migrate(database, this.project.name);
      } catch (error) {
        throw databaseFailure(database, error);
      }
    }
    return applied;
  }

  /**
   * The SQL that does what `migrate` would do, by connection. No database is asked, so a URL need say no more than which server it is
   * of. Throws `ConfigurationError` where none does.
   */
  async migrationScripts(): Promise<Record<string, string>> {
    const scripts: Record<string, string> = {};
    for (const name of writtenConnections(this.project)) {
      const connection = this.project.connections[name]!;
      if (connection.unknownServer !== undefined) {
        const of = { name, variables: connection.unknownServer };
        throw unknownServerError(of, 'its control tables cannot be written down');
      }
      const unconnected = new Databases({
        [name]: { ...connection, url: connection.url || `${connection.scheme}://nowhere` },
      });
      scripts[name] = await migrationScript(unconnected.get(name), this.project.name);
    }
    return scripts;
  }

  /** Closes all connections. */
  async close(): Promise<void> {
    await this.context.databases.close();
    const client = await this.client?.catch(() => undefined);
    await client?.connection.close();
  }

  private async steer(name: string, steering: Steering): Promise<SteerResult> {
    const { steer } = await import('./steer.ts');
    return steer(this.context, name, steering);
  }

  private connect(patienceMs?: number): Promise<Client> {
    const connecting = import('./connect.ts').then(({ connectTemporal }) =>
      connectTemporal(this.context.target, patienceMs),
    );
    connecting.catch(() => (this.client = undefined)); // asked again next time
    return connecting;
  }
}
