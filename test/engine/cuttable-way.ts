/** A way to a server that can be cut, or fall silent: who is frozen at its one end is then gone for who waits at the other. */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export class CuttableWay {
  private readonly sockets = new Set<Socket>();
  private silent = false;

  private constructor(
    private readonly server: Server,
    /** `host:port` of its beginning. */
    readonly address: string,
  ) {}

  static async to(address: string): Promise<CuttableWay> {
    const [host, port] = address.split(':');
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const way = new CuttableWay(server, `127.0.0.1:${(server.address() as AddressInfo).port}`);
    server.on('connection', (client) => {
      const upstream = connect(Number(port), host);
      const end = (): void => [client, upstream].forEach((socket) => socket.destroy());
      for (const socket of [client, upstream]) way.sockets.add(socket.on('error', end).on('close', end));
      if (!way.silent) client.pipe(upstream).pipe(client);
    });
    return way;
  }

  /** Ends every connection. New ones pass again. */
  cut(): void {
    for (const socket of this.sockets) socket.destroy();
    this.sockets.clear();
  }

  /** Closes nothing, and hands nothing on any more, as a server that is frozen. */
  fallSilent(): void {
    this.silent = true;
    for (const socket of this.sockets) socket.unpipe().pause();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
