import { Context } from '@temporalio/activity';
import { WorkflowNotFoundError } from '@temporalio/client';
import type { Engine } from './engine.ts';

const POLL_MS = 500;

/** Waits until a load that somebody else started has ended, however it ends. */
export const awaitLoad =
  (engine: Engine) =>
  async (workflowId: string): Promise<void> => {
    for (;;) {
      try {
        const { status } = await engine.client.workflow.getHandle(workflowId).describe();
        if (status.name !== 'RUNNING') return;
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return;
        throw error;
      }
      await Context.current().sleep(POLL_MS);
    }
  };
