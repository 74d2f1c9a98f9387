/** A lane's connection to the source of an acquisition. Its errors are the source's. */
import { randomUUID } from 'node:crypto';
import { CancelledFailure } from '@temporalio/common';
import type { LaneKey } from '../control/lanes.ts';
import { readsAnew } from '../control/source.ts';
import { recordSourceState, sourceState, SourceStateLost } from '../control/source-state.ts';
import { SourceError } from '../copy/copy-rows.ts';
import type { Database, Session } from '../database/dialect.ts';
import type { BatchContext } from './batch-context.ts';

export interface SourceReader {
  /**
   * Opens it beforehand: a chunk's transaction must not lie idle while a place on the source is waited for. False: this lane cannot
   * read yet, or not at all.
   */
  ready(): Promise<boolean>;
  /** Runs `work` in a read-only transaction. */
  use<T>(work: (session: Session) => Promise<T>): Promise<T>;
  /** Within `work`, when all is read: throws `SourceStateLost` if that is not what the state had. */
  prove(session: Session): Promise<void>;
  /** Ends what it is at: the server sees that nobody waits for it. It is still to be closed. */
  cut(): void;
  close(): Promise<void>;
}

/** `signal`: the lane's; once it is aborted nothing is begun on the source. */
export function readerOf(source: Database, context: BatchContext, at: LaneKey, signal: AbortSignal): SourceReader {
  const { batch } = context;
  // Named so that other acquisitions do not wait for it.
  const purpose = `waybill read ${batch.loadName}`;
  if (!batch.definition.from!.consistent) {
    const once = readsAnew(batch.definition.from!, source.dialect.sql);
    // The load's own settings, where it reads what its statements read: another source may be another kind of server.
    const own = source.connection === context.database.connection && { settings: batch.definition.sessionParams };
    return new Reader(source, purpose, signal, (session) => session.begin({ readOnly: true, ...own }), once);
  }
  if (at.lane === 1) return new Holder(source, purpose, signal, context, at);
  return source.dialect.sharesState ? new Joining(source, purpose, signal, context, at) : NOBODY;
}

/** For lanes beside the only one that can read. */
const NOBODY: SourceReader = {
  ready: () => Promise.resolve(false),
  use: () => Promise.reject(new Error('this lane reads nothing')),
  prove: () => Promise.resolve(),
  cut: () => undefined,
  close: () => Promise.resolve(),
};

/** Opened when it is first needed, replaced when it broke. */
class Reader implements SourceReader {
  private session: Session | undefined;

  constructor(
    private readonly source: Database,
    private readonly purpose: string,
    private readonly signal: AbortSignal,
    private readonly begin: (session: Session) => Promise<void>,
    /** Something that is read for one chunk would still be there for the next: each has a connection of its own. */
    private readonly once = false,
  ) {}

  async ready(): Promise<boolean> {
    await ofSource(this.source, async () => (this.session ??= await this.open()));
    return true;
  }

  async use<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const session = await ofSource(this.source, () => this.begun());
    try {
      const value = await work(session);
      await this.done(session);
      return value;
    } catch (error) {
      await this.close(); // whatever it was at, the server ends with the connection
      throw error;
    }
  }

  /**
   * What was read is whole, and its COMMIT changes nothing: where the target took longer than the source lets a transaction lie idle, the
   * connection is gone, and the rows are good all the same.
   */
  private async done(session: Session): Promise<void> {
    const committed = await session.commit().then(
      () => true,
      () => false,
    );
    if (!committed) session.destroy();
    if (!committed || this.once) await this.close();
  }

  prove(): Promise<void> {
    return Promise.resolve();
  }

  cut(): void {
    if (this.session) this.source.dialect.cutReading(this.source, this.session);
  }

  async close(): Promise<void> {
    const { session } = this;
    this.session = undefined;
    await giveBack(session);
  }

  private async begun(): Promise<Session> {
    if (this.session) {
      try {
        await this.begin(this.session);
        return this.session;
      } catch (error) {
        this.session.destroy(); // it was cut while it lay idle between two chunks: a new one may do
        this.session = undefined;
        if (error instanceof SourceStateLost) throw error;
      }
    }
    this.session = await this.open();
    this.signal.throwIfAborted(); // `cut` has come while there was nothing to cut
    await this.begin(this.session);
    return this.session;
  }

  private async open(): Promise<Session> {
    this.signal.throwIfAborted();
    return this.source.openSession(this.purpose, { reading: true, signal: this.signal });
  }
}

/** Reads the state that another lane holds. */
class Joining implements SourceReader {
  private state: string | undefined;
  private readonly reader: Reader;

  constructor(
    private readonly source: Database,
    purpose: string,
    signal: AbortSignal,
    private readonly context: BatchContext,
    private readonly at: LaneKey,
  ) {
    this.reader = new Reader(source, purpose, signal, async (session) => {
      if (!(await source.dialect.joinState(session, this.state!))) throw new SourceStateLost(context.batch.loadName);
    });
  }

  async ready(): Promise<boolean> {
    this.state ??= await sourceState(this.context.database, this.at);
    return this.state !== undefined && this.reader.ready();
  }

  use<T>(work: (session: Session) => Promise<T>): Promise<T> {
    return this.reader.use(work);
  }

  async prove(session: Session): Promise<void> {
    const breach = await ofSource(this.source, () => this.source.dialect.stateBreach(this.source, session));
    if (breach === undefined) return;
    const next = 'when nothing truncates or alters it while it is read';
    throw new SourceStateLost(this.context.batch.loadName, { message: `${breach} since it was taken`, next });
  }

  cut(): void {
    this.reader.cut();
  }

  close(): Promise<void> {
    return this.reader.close();
  }
}

/**
 * Holds the state of the source for all lanes, from the first chunk to the last. Where sessions can join it, it reads as the others do,
 * so that a chunk that fails does not end it; else it reads on the connection that holds it.
 */
class Holder implements SourceReader {
  private session: Session | undefined;
  /** Of the state that is held, and of no other that ever was. */
  private name: string | undefined;
  private recorded = false;
  private readonly joining: Joining | undefined;

  constructor(
    private readonly source: Database,
    private readonly purpose: string,
    private readonly signal: AbortSignal,
    private readonly context: BatchContext,
    private readonly at: LaneKey,
  ) {
    if (source.dialect.sharesState) this.joining = new Joining(source, purpose, signal, context, at);
  }

  async ready(): Promise<boolean> {
    if (!this.recorded) await this.record();
    if (this.session === undefined) throw this.lost();
    return this.joining?.ready() ?? true;
  }

  async use<T>(work: (session: Session) => Promise<T>): Promise<T> {
    if (this.joining) return this.joining.use(work);
    if (this.session === undefined) throw this.lost();
    try {
      return await work(this.session);
    } catch (error) {
      await this.letGo(); // in the middle of a copy: nothing else can be asked of it
      throw error;
    }
  }

  async prove(session: Session): Promise<void> {
    await this.joining?.prove(session);
  }

  cut(): void {
    this.joining?.cut();
    if (this.session) this.source.dialect.cutReading(this.source, this.session);
  }

  async close(): Promise<void> {
    await this.joining?.close();
    await this.letGo();
  }

  /**
   * Nobody reads before the ledger has it: a batch that had read a state which nobody knows of could be given another one. Where the
   * answer is lost, the same state is said again.
   */
  private async record(): Promise<void> {
    const again = this.name !== undefined;
    this.name ??= await this.hold();
    if (!(await recordSourceState(this.context.database, this.at, this.name, again))) throw this.lost();
    this.recorded = true;
  }

  private async hold(): Promise<string> {
    const { source, purpose } = this;
    await this.letGo(); // of an attempt that failed
    return ofSource(source, async () => {
      // Beside the places of readers: it must not wait for one that it has itself.
      this.session = await (this.joining
        ? source.openAside(purpose)
        : source.openSession(purpose, { reading: true, signal: this.signal }));
      return (await source.dialect.holdState(this.session)) ?? randomUUID();
    });
  }

  private async letGo(): Promise<void> {
    const { session } = this;
    this.session = undefined;
    await giveBack(session);
  }

  private lost(): SourceStateLost {
    return new SourceStateLost(this.context.batch.loadName);
  }
}

async function giveBack(session: Session | undefined): Promise<void> {
  await session?.rollback();
  await session?.close();
}

async function ofSource<T>(source: Database, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof SourceStateLost || error instanceof CancelledFailure) throw error;
    throw new SourceError(error, source.dialect);
  }
}
