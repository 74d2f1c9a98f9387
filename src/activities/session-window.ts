import type { Project } from '../config/definition.ts';
import { findNewestPublished, findPublishedIn, getBatch, type Batch } from '../control/batch.ts';
import { requireProject } from '../control/project.ts';
export type { OpenWindow } from '../control/session-window.ts';
import { closeSessionWindow, findLeftWindow, openSessionWindow, type OpenWindow } from '../control/session-window.ts';
import type { ParameterValue } from '../workflows/messages.ts';
import type { Engine } from './engine.ts';
import { refused, toUntoldFailure } from './failures.ts';

/** A session's shared window, by the connection whose ledger keeps it. */
export interface WindowRequest {
  connection: string;
  session: string;
}

export interface OpenWindowRequest extends WindowRequest {
  firstRunId: string;
  params: Record<string, ParameterValue>;
}

/** Opens the shared window of a session, or takes over the one that its last run left open. */
export const openWindow =
  (engine: Engine) =>
  async ({ connection, session, firstRunId, params }: OpenWindowRequest): Promise<OpenWindow> => {
    const database = engine.databases.get(connection);
    try {
      const project = await engine.loadProject();
      await requireProject(database, project.name);
      const to = await findLeftWindow(database, session, firstRunId);
      if (to !== undefined) await refuseOtherParams(engine, project, { session, to }, params);
      return await openSessionWindow(database, session, firstRunId, params);
    } catch (error) {
      throw toUntoldFailure(error, database, `session ${session}`);
    }
  };

/** Moves the window on: every load of the session ended well in it. */
export const closeWindow =
  (engine: Engine) =>
  async ({ connection, session, to }: WindowRequest & { to: string }): Promise<void> => {
    const database = engine.databases.get(connection);
    try {
      await closeSessionWindow(database, session, to);
    } catch (error) {
      throw toUntoldFailure(error, database, `session ${session}`);
    }
  };

/** A task that is done in the window is not done again with other parameters in it. Where somebody has done that himself, they agree. */
async function refuseOtherParams(
  engine: Engine,
  project: Project,
  window: { session: string; to: string },
  given: Record<string, ParameterValue>,
): Promise<void> {
  for (const name of project.sessions[window.session]?.loads ?? []) {
    const load = project.loads[name]!;
    const asked = Object.keys(given).filter((param) => Object.hasOwn(load.params, param));
    if (load.kind !== 'task' || asked.length === 0) continue;
    const database = engine.databases.get(load.connection);
    const done = await findPublishedIn(database, name, window);
    if (done === undefined) continue;
    const batch = await getBatch(database, done);
    const newest = (await findNewestPublished(database, name)) ?? batch;
    const differs = ({ params }: Batch, param: string): boolean =>
      Object.hasOwn(params, param) && params[param] !== given[param];
    const other = asked.find((param) => differs(batch, param) && differs(newest, param));
    if (other === undefined) continue;
    const [then, now] = [batch.params[other], given[other]].map((value) => `${other} = ${String(value)}`);
    throw refused(`${name} is done in the window that is open, with ${then}, and this run is given ${now}`, {
      where: `session ${window.session}, batch ${done}`,
      next:
        `leave --param ${other} out: what is left is done with the parameters that the window was begun with; ` +
        `or do ${name} again by itself first (waybill run ${name} --param ${other}=${String(given[other])})`,
    });
  }
}
