import { requireProject } from '../control/project.ts';
export type { OpenWindow } from '../control/session-window.ts';
import { closeSessionWindow, openSessionWindow, type OpenWindow } from '../control/session-window.ts';
import type { Engine } from './engine.ts';
import { toFailure } from './failures.ts';

/** A session's shared window, by the connection whose ledger keeps it. */
export interface WindowRequest {
  connection: string;
  session: string;
}

/** Opens the shared window of a session, or takes over the one that its last run left open. */
export const openWindow =
  (engine: Engine) =>
  async ({ connection, session, firstRunId }: WindowRequest & { firstRunId: string }): Promise<OpenWindow> => {
    const database = engine.databases.get(connection);
    try {
      await requireProject(database, (await engine.loadProject()).name);
      return await openSessionWindow(database, session, firstRunId);
    } catch (error) {
      throw toFailure(error, database, `session ${session}`);
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
      throw toFailure(error, database, `session ${session}`);
    }
  };
