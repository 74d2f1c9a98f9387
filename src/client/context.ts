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
  env: NodeJS.ProcessEnv;
}
