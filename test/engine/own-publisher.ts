/** A server of a test's own with two databases: what is published in one comes into the other by a subscription. */
import type { TestServer } from '../servers.ts';
import { startOwnServer, type OwnServer } from './own-server.ts';
import type { TestClient } from './test-client.ts';
import type { World } from './world.ts';

export interface Subscribed {
  own: OwnServer;
  publisher: TestClient;
  /** The world's source from now on. */
  subscriber: TestClient;
}

/** `published`: makes the tables on both sides; `subscribed`: more for the subscriber, before anything comes. */
export async function subscribe(
  world: World,
  server: TestServer,
  sql: { published: string; subscribed: string; publication: string },
): Promise<Subscribed> {
  const own = await startOwnServer(server, { wal_level: 'logical', max_wal_senders: '4', log_min_messages: 'fatal' });
  world.env['SOURCE_URL'] = own.url;
  const subscriber = await world.another('source');
  await subscriber.query(`${sql.published}; ${sql.subscribed}`);
  await subscriber.query('create database publisher');
  const url = new URL(own.url);
  url.pathname = '/publisher';
  world.env['SOURCE_URL'] = url.href;
  const publisher = await world.another('source');
  world.env['SOURCE_URL'] = own.url;
  await publisher.query(`${sql.published}; create publication shop ${sql.publication}`);
  // A subscription to its own server would wait for itself to make the slot.
  await publisher.query(`select pg_create_logical_replication_slot('shop', 'pgoutput')`);
  await subscriber.query(`create subscription shop connection '${url.href}' publication shop
    with (create_slot = false, slot_name = shop, copy_data = false)`);
  return { own, publisher, subscriber };
}
