import type { Project } from './definition.ts';

/** Connections that loads write to, in name order: those hold control tables. */
export function writtenConnections(project: Pick<Project, 'loads'>): string[] {
  return [...new Set(Object.values(project.loads).map((load) => load.connection))].sort();
}
