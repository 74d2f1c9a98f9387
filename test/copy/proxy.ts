/** A server between a client and a database that hands the server's bytes on in other pieces than they came in, or late. */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export class Proxy {
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {}

  /** `pieces`: cuts what the server sent into what the client gets. */
  static async create(url: string, pieces: (bytes: Buffer) => Buffer[]): Promise<Proxy> {
    const to = new URL(url);
    const sockets = new Set<Socket>();
    const server = createServer((client) => {
      const upstream = connect(Number(to.port), to.hostname);
      for (const socket of [client, upstream]) {
        sockets.add(socket);
        socket.setNoDelay(true);
        socket.on('error', () => undefined);
      }
      client.pipe(upstream);
      client.on('close', () => upstream.destroy());
      upstream.on('close', () => client.end());
      let turn = Promise.resolve();
      upstream.on('data', (bytes) => {
        turn = turn.then(async () => {
          for (const piece of pieces(bytes)) {
            client.write(piece);
            // So that the client's socket sees each piece by itself.
            await new Promise((resolve) => setImmediate(resolve));
          }
        });
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const through = new URL(url);
    through.hostname = '127.0.0.1';
    through.port = String((server.address() as AddressInfo).port);
    const proxy = new Proxy(server, through.href);
    for (const socket of sockets) proxy.sockets.add(socket);
    return proxy;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
