import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { constants, PerformanceObserver } from 'node:perf_hooks';
import { expect, test } from 'vitest';
import { passedOn } from '../../src/copy/free-pieces.ts';
import { collectGarbage } from './held.ts';

const MEGABYTE = 1 << 20;

/** Sends so many megabytes over a socket, one each `pauseMs`; the collections of V8's whole heap and of its young objects meanwhile. */
async function collectionsOver(megabytes: number, taken: (bytes: number) => void, pauseMs = 0) {
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
      while (left > 0) {
        left -= 1;
        socket.write(piece);
        if (pauseMs > 0) return void setTimeout(send, pauseMs);
        if (socket.writableNeedDrain) return void socket.once('drain', send);
      }
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

test('pieces of a copy are freed by small collections, every 8 MB', async () => {
  const { minor, major } = await collectionsOver(512, passedOn);
  expect(minor).toBeGreaterThan(512 / 8 - 5);
  expect(major).toBeLessThan(5);
});

test('and no more of V8 where all that is alive has just been marked, as in a worker that was idle', async () => {
  const alive = Array.from({ length: 300_000 }, (_, i) => ({ i, both: [i, i] }));
  // As V8 does when a process has been idle for a while: from here on the heap may grow by a part of what is alive.
  collectGarbage();
  collectGarbage();
  const copied = (bytes: number): void => {
    Buffer.allocUnsafeSlow(bytes); // the rows that were read, as they are written
    passedOn(bytes);
  };
  expect((await collectionsOver(256, copied, 10)).major).toBeLessThan(5);
  expect(alive).toHaveLength(300_000);
});
