/**
 * Temporal for tests: servers of this test process's own, one after another. For each namespace that has seen a load a server keeps
 * thousands of time series, looks at all of them each second and forgets none: after a thousand tests one server for all had
 * taken 10 GB and more than a processor.
 */
import { Connection } from '@temporalio/client';
import { startTemporal, type TemporalServer } from '../src/dev/temporal-server.ts';

/** Of one server: its start takes half a second of a processor. */
const NAMESPACES = 25;

/** Temporal would run a worker of its own in each namespace, for schedules. A test of schedules starts a server of its own. */
const SETTINGS = { 'worker.perNamespaceWorkerCount': '0' };

/** A namespace that nobody has used, with Waybill's search attributes. */
export interface FreshNamespace {
  /** `host:port` of its server. */
  address: string;
  namespace: string;
  /** To its server, of all who have a namespace there: Node 20 and 22 keep one for ever, and look at each at every promise. */
  connection: Connection;
  /** The test needs it no more. */
  release: () => Promise<void>;
}

class Generation {
  private readonly free = Array.from({ length: NAMESPACES }, (_, i) => `test-${i + 1}`);
  private readonly server: Promise<TemporalServer> = startTemporal({
    external: false,
    settings: SETTINGS,
    moreNamespaces: [...this.free],
  });
  private readonly connection = this.server.then(({ address }) => Connection.connect({ address }));
  private lent = 0;

  get usedUp(): boolean {
    return this.free.length === 0;
  }

  async lend(): Promise<FreshNamespace> {
    const namespace = this.free.shift()!;
    this.lent += 1;
    const [{ address }, connection] = await Promise.all([this.server, this.connection]);
    return { address, namespace, connection, release: () => this.release() };
  }

  private async release(): Promise<void> {
    this.lent -= 1;
    if (!this.usedUp || this.lent > 0) return;
    await (await this.connection).close();
    await (await this.server).stop();
  }
}

let newest: Generation | undefined;

/** Workflow ids are `load/<name>`, so tests that run beside each other need a namespace each. */
export function freshNamespace(): Promise<FreshNamespace> {
  if (newest === undefined || newest.usedUp) newest = new Generation();
  return newest.lend();
}
