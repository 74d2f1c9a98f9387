/** The life of a batch as a table: which state may follow which (DESIGN §4). */
import type { BatchState } from '../workflows/messages.ts';

export const TRANSITIONS: Record<BatchState, readonly BatchState[]> = {
  running: ['checking', 'held', 'rolling_back'],
  checking: ['published', 'held', 'rolling_back'],
  held: ['running', 'rolling_back'],
  rolling_back: ['failed', 'cancelled'],
  published: ['retracting'],
  retracting: ['retracted'],
  failed: [],
  cancelled: [],
  retracted: [],
};

/** States from which `to` may be reached. */
export function statesBefore(to: BatchState): BatchState[] {
  return (Object.keys(TRANSITIONS) as BatchState[]).filter((from) => TRANSITIONS[from].includes(to));
}

/** States of a batch that is not over: at most one a load (a unique index holds it). */
export const UNFINISHED: readonly BatchState[] = ['running', 'checking', 'held', 'rolling_back', 'retracting'];

export const isUnfinished = (state: BatchState): boolean => UNFINISHED.includes(state);

/** States of a batch that a workflow is working on, and may go on with. */
export const isUnderWay = (state: BatchState): boolean => state === 'running' || state === 'checking';

/** `job_control.status` of a state, the word that the seed documents use. */
export function jobStatus(state: BatchState): 'running' | 'finished' | 'error' {
  if (state === 'published') return 'finished';
  return ['running', 'checking', 'rolling_back', 'retracting'].includes(state) ? 'running' : 'error';
}
