import type { Client } from '@temporalio/client';
import type { LoadedProject } from '../config/load-project.ts';
import type { Databases } from '../database/databases.ts';
import type { TemporalTarget } from './temporal-target.ts';

/** What the verbs of `Waybill` share: the project, its databases, and Temporal once it is asked for. */
export interface ClientContext {
  project: LoadedProject;
  databases: Databases;
  target: TemporalTarget;
  /** Connects at first use; throws `UnreachableError` after `patienceMs` milliseconds without an answer, by default 5,000. */
  temporal(patienceMs?: number): Promise<Client>;
  /**
   * Questions to Temporal that nobody waits for. They must be answered before the connection is closed: a call that is tried
   * again on a closed one throws where nothing can catch it, and ends the process.
   */
  background: Set<Promise<unknown>>;
  env: NodeJS.ProcessEnv;
}
