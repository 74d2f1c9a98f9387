/** Sessions for tests: started as a schedule or the command line does, and how they ended. */
import { WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import {
  sessionWorkflowId,
  TASK_QUEUE,
  type SessionInput,
  type SessionLoadResult,
  type SessionResult,
} from '../../src/workflows/messages.ts';
import type { session } from '../../src/workflows/session.ts';
import type { World } from './world.ts';

export type SessionHandle = WorkflowHandle<typeof session>;

export type SessionEnd =
  | { ok: true; result: SessionResult }
  | { ok: false; type: string; message: string; where?: string; next?: string; loads: SessionLoadResult[] };

export const startSession = (world: World, name = 'nightly', params?: SessionInput['params']): Promise<SessionHandle> =>
  world.client.workflow.start<typeof session>('session', {
    workflowId: sessionWorkflowId(name),
    taskQueue: TASK_QUEUE,
    args: [{ session: name, ...(params && { params }) }],
  });

export async function sessionEnd(handle: SessionHandle): Promise<SessionEnd> {
  try {
    return { ok: true, result: await handle.result() };
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    const { cause } = error;
    if (cause instanceof CancelledFailure) return { ok: false, type: 'Canceled', message: cause.message, loads: [] };
    if (!(cause instanceof ApplicationFailure)) throw error;
    const said = (cause.details?.[0] ?? { loads: [] }) as { where?: string; next?: string; loads: SessionLoadResult[] };
    return { ok: false, type: cause.type ?? '', message: cause.message, ...said };
  }
}

export const runSession = async (world: World, name?: string, params?: SessionInput['params']): Promise<SessionEnd> =>
  world.names.outOf(await sessionEnd(await startSession(world, name, params)));
