import type { LoadDefinition, Project, SessionDefinition } from '../config/definition.ts';
import { ConfigurationError } from '../errors.ts';
import { nearest } from '../sql/names.ts';
import { loadWorkflowId, sessionWorkflowId } from '../workflows/messages.ts';

/** What a name on the command line stands for. */
export type Named =
  | { kind: 'load'; name: string; load: LoadDefinition; workflowId: string }
  | { kind: 'session'; name: string; session: SessionDefinition; workflowId: string };

/** A load or a session: no two of them share a name. Throws `ConfigurationError` with the nearest one. */
export function findName(project: Project, name: string): Named {
  const load = project.loads[name];
  if (load) return { kind: 'load', name, load, workflowId: loadWorkflowId(name) };
  const session = project.sessions[name];
  if (session) return { kind: 'session', name, session, workflowId: sessionWorkflowId(name) };
  throw unknownName('load or session', name, [...Object.keys(project.loads), ...Object.keys(project.sessions)]);
}

/** A load; sessions are refused by name. */
export function findLoad(project: Project, name: string): LoadDefinition {
  const load = project.loads[name];
  if (load) return load;
  const session = project.sessions[name];
  if (session) {
    throw new ConfigurationError(`${name} is a session, and this takes a load`, {
      where: 'waybill.yaml',
      next: `its loads: ${session.loads.join(', ')}`,
    });
  }
  throw unknownName('load', name, Object.keys(project.loads));
}

function unknownName(what: string, name: string, known: string[]): ConfigurationError {
  const near = nearest(name, known);
  return new ConfigurationError(`there is no ${what} ${name}`, {
    where: 'the project folder: loads/ and sessions of waybill.yaml',
    next: near === undefined ? `known: ${known.sort().join(', ') || 'none'}` : `did you mean ${near}?`,
  });
}
