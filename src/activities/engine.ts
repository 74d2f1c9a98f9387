/**
 * What activities are made from: the project, its databases, Temporal. Injected, so that a worker and a test build the
 * same activities around different servers.
 */
import type { Client } from '@temporalio/client';
import type { Logger } from 'pino';
import type { Project } from '../config/definition.ts';
import type { Databases } from '../database/databases.ts';

export interface Engine {
  databases: Databases;
  /** Reads the project's files again: a load runs as its files are when its batch opens. */
  loadProject: () => Promise<Project>;
  client: Client;
  /** Name of this worker in the ledger: host:pid. */
  worker: string;
  /** True once the worker was asked to stop: lanes end after their chunk. */
  stopping: () => boolean;
  /** Search attributes that the Temporal server has; one that it lacks would stop a workflow for ever. */
  searchAttributes: () => Promise<string[]>;
  /** History events after which a load continues as new. Temporal suggests 4,096 itself. */
  historyLimit: number | undefined;
  /** Milliseconds that an acquisition waits for transactions on its source. Default: 5 minutes. */
  settleLimitMs?: number | undefined;
  /** Milliseconds that the drop of a published batch's snapshot waits for its readers. Default: 5 minutes. */
  dropLimitMs?: number | undefined;
  /** Milliseconds at most between two attempts of a chunk. Default: 30 s, which is what a full disk is given. */
  longestBackoffMs?: number | undefined;
  /** Chunks of one transaction, at most. Default: 64, as long as they are small. */
  mostShared?: number | undefined;
  /** Milliseconds that bad rows of a chunk are searched within its transaction. Default: 1 s. */
  searchMs?: number | undefined;
  /** Rows that a transaction of a roll back deletes, about. Default: 100,000. */
  rollBackRows?: number | undefined;
  log: Logger;
}
