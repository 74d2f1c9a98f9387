/** Waybill on an account of MySQL's family without PROCESS. */
import type { World } from './world.ts';

/** It sees and ends no other connections than its own, so a fence waits for them, and learns of a table only when it was made. */
export async function asLoader(world: World): Promise<void> {
  await world.warehouse.query(`create user if not exists loader@'%' identified by 'Secret-1';
    grant all on \`${world.names.prefix.replace('_', '\\_')}%\`.* to loader@'%'`);
  const url = new URL(world.env['WAREHOUSE_URL']!);
  Object.assign(url, { username: 'loader', password: 'Secret-1' });
  world.env['WAREHOUSE_URL'] = url.href;
}
