import { createServer, connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';

/**
 * A loopback port that nobody listens on.
 *
 * Nothing reserves it: whoever takes it must cope with "address in use" and ask again. It is made unlikely by leaving the
 * port in TIME_WAIT (one connection, closed by the listening side first), so that for about a minute Linux gives it to
 * nobody else who asks for "any port", while a server that sets SO_REUSEADDR (PostgreSQL, Temporal) may still bind it.
 * The trick is the Temporal SDK's own (`get_free_port` in sdk-core's ephemeral_server).
 */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const accepted = new Promise<void>((resolve) => {
    server.once('connection', (socket) => socket.end(() => resolve()));
  });
  const client = connect(port, '127.0.0.1');
  client.on('error', () => undefined);
  await accepted;
  // Our end closes only after the other end's FIN, else TIME_WAIT would be on the wrong side.
  client.resume();
  await once(client, 'close');
  server.close();
  await once(server, 'close');
  return port;
}
