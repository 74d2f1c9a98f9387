import { findWindow } from '../control/session-window.ts';
import { nearest } from '../sql/names.ts';
import { FAILURE } from '../workflows/messages.ts';
import type { Engine } from './engine.ts';
import { permanent, toFailure } from './failures.ts';

export interface SessionPlan {
  loads: string[];
  /** For each load, those that must end well before it starts. */
  dependencies: Record<string, string[]>;
  /** The connection whose ledger keeps the session's shared window; undefined: each load has its own. */
  windowOn: string | undefined;
  /** Whose session it is: workflows/project-interceptor.ts. */
  project?: string;
}

/** The loads of a session and their order, from the project's files. */
export const planSession =
  (engine: Engine) =>
  async (name: string): Promise<SessionPlan> => {
    try {
      const project = await engine.loadProject();
      const session = project.sessions[name];
      if (session) {
        const { loads, dependencies, sharesWindow, ledgers } = session;
        const windowOn = sharesWindow
          ? await findWindow({
              project: project.name,
              session: name,
              own: ledgers.map((on) => engine.databases.get(on)),
              others: engine.databases
                .names()
                .filter((on) => !ledgers.includes(on))
                .map((on) => engine.databases.get(on)),
            })
          : undefined;
        return { loads, dependencies, windowOn, project: project.name };
      }
      const near = nearest(name, Object.keys(project.sessions));
      throw permanent(FAILURE.configuration, `there is no session ${name}`, {
        where: 'waybill.yaml',
        next: near ? `did you mean ${near}?` : `sessions: ${Object.keys(project.sessions).sort().join(', ') || 'none'}`,
      });
    } catch (error) {
      throw toFailure(error, undefined, `session ${name}`);
    }
  };
