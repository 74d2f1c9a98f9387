/** A server between a worker and its database that cuts a connection exactly at a COMMIT. */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { MysqlWire, PostgresWire } from './commit-wires.ts';

/** `lost`: it never reached the server. `unanswered`: the server has committed, and its answer never arrives. */
export type Cut = 'lost' | 'unanswered';

/** Everything that the client said since its transaction began, as it was sent: statements and bound values. */
type WantedTransaction = (said: string) => boolean;

/** How a transaction is known by a statement in it on a table of ours, and what stands behind that, bound values included. */
export const says = (verb: string, table: string, rest: string): RegExp =>
  new RegExp(`${verb} \\W?\\w*${table.replace('.', '\\W{1,3}')}\\W.*?${rest}`, 's');
/** By the event that it records. */
export const event = (what: string): RegExp => says('into', 'waybill.event', `\\b${what}\\b`);

/** What PostgreSQL answers to it. */
const COMMIT = 'COMMIT';

interface Order {
  cut: Cut;
  wanted: WantedTransaction;
  answer: string;
  done: () => void;
}

export class CommitProxy {
  private readonly sockets = new Set<Socket>();
  private order: Order | undefined;
  /** While the test looks, nobody gets anything through. */
  private shut: Promise<void> | undefined;
  private open: (() => void) | undefined;

  private constructor(
    private readonly server: Server,
    /** The warehouse through this proxy. */
    readonly url: string,
  ) {}

  static async create(url: string): Promise<CommitProxy> {
    const to = new URL(url);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const through = new URL(url);
    through.hostname = '127.0.0.1';
    through.port = String((server.address() as AddressInfo).port);
    const proxy = new CommitProxy(server, through.href);
    server.on('connection', (client) => void proxy.serve(client, Number(to.port), to.hostname));
    return proxy;
  }

  /**
   * Cuts the connection of the next transaction that is wanted, at its COMMIT. Resolves when that is done; from then on
   * nothing passes, on any connection, until `resume`. Rejects when no such transaction came within a minute and a half.
   *
   * @param answer what PostgreSQL answers to a statement that commits by itself (`UPDATE 1`): then such a one is wanted
   */
  async cutAtCommit(cut: Cut, wanted: WantedTransaction, answer = COMMIT): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.withdraw(); // or it would be cut later, and nobody would resume
        reject(new Error(`no COMMIT came that was to be ${cut}`));
      }, 90_000);
      const done = (): void => {
        clearTimeout(timer);
        resolve();
      };
      this.order = { cut, wanted, answer, done };
    });
  }

  /** Cuts nothing any more that it has not cut yet. */
  withdraw(): void {
    this.order = undefined;
  }

  resume(): void {
    this.open?.();
  }

  async close(): Promise<void> {
    this.resume();
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async serve(client: Socket, port: number, host: string): Promise<void> {
    this.sockets.add(client.on('error', () => undefined));
    await this.shut;
    const server = connect(port, host);
    this.sockets.add(server.on('error', () => undefined));
    const cut = (): void => [client, server].forEach((socket) => socket.destroy());
    client.on('close', cut);
    server.on('close', () => client.end());
    const wire = this.url.startsWith('postgres') ? new PostgresWire() : new MysqlWire();
    let said = '';
    let committing: Order | undefined;
    inOrder(client, async (bytes) => {
      for (const { text, begins, commits, next } of wire.read(bytes)) {
        said = begins ? text : said + text;
        const { order } = this;
        const alone = order !== undefined && order.answer !== COMMIT;
        if ((alone || commits) && order?.wanted(alone ? text : said)) {
          committing = order;
          this.order = undefined;
          this.hold();
        }
        said = next ?? said;
      }
      if (committing === undefined) await this.shut;
      if (committing?.cut === 'lost') {
        cut();
        committing.done();
      } else server.write(bytes);
    });
    inOrder(server, async (bytes) => {
      const answered = wire.answered(bytes, committing?.answer ?? COMMIT);
      if (committing !== undefined) {
        if (!answered) return;
        cut();
        committing.done();
        return;
      }
      await this.shut;
      client.write(bytes);
    });
  }

  private hold(): void {
    this.shut = new Promise((resolve) => {
      this.open = () => {
        this.shut = undefined;
        resolve();
      };
    });
  }
}

/** Handles what arrives one piece after another, however long each takes. */
function inOrder(socket: Socket, handle: (bytes: Buffer) => Promise<void>): void {
  let turn = Promise.resolve();
  socket.on('data', (bytes) => {
    turn = turn.then(() => handle(bytes));
  });
}
