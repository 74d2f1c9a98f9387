import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { constants, PerformanceObserver } from 'node:perf_hooks';
import { expect, test } from 'vitest';
import { passedOn } from '../../src/copy/free-pieces.ts';

const MEGABYTE = 1 << 20;

/** Sends so many megabytes over a socket; the collections of V8's whole heap and of its young objects meanwhile. */
async function collectionsOver(megabytes: number, taken: (bytes: number) => void) {
  const found = { major: 0, minor: 0 };
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const { kind } = (entry as unknown as { detail: { kind: number } }).detail;
      if (kind === constants.NODE_PERFORMANCE_GC_MINOR) found.minor += 1;
      if (kind === constants.NODE_PERFORMANCE_GC_MAJOR) found.major += 1;
    }
  });
  const piece = Buffer.alloc(MEGABYTE);
  const server = createServer((socket) => {
    let left = megabytes;
    const send = (): void => {
      while (left > 0) if (((left -= 1), !socket.write(piece))) return void socket.once('drain', send);
      socket.end();
    };
    send();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  observer.observe({ entryTypes: ['gc'] });
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.on('data', ({ length }) => taken(length));
  await once(socket, 'close');
  await new Promise((resolve) => setTimeout(resolve, 100)); // the observer hears of them later
  observer.disconnect();
  server.close();
  return found;
}

test('pieces of a copy are freed by small collections, every 16 MB', async () => {
  const { minor, major } = await collectionsOver(512, passedOn);
  expect(minor).toBeGreaterThan(512 / 16 - 5);
  expect(major).toBeLessThan(5);
});
