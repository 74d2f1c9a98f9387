import { steerLanes as steer } from '../control/lanes.ts';
import type { BatchReference } from '../workflows/messages.ts';
import type { Engine } from './engine.ts';
import { toUntoldFailure } from './failures.ts';

export interface SteerRequest extends BatchReference {
  stage: number;
  /** Lanes 1 … keep go on; those above end after the chunk that they are at. */
  keep: number;
  most: number;
}

/** Asks lanes to stop, or lets them go on. */
export const steerLanes =
  (engine: Engine) =>
  async (request: SteerRequest): Promise<void> => {
    const database = engine.databases.get(request.connection);
    try {
      await steer(database, request, request.keep, request.most);
    } catch (error) {
      throw toUntoldFailure(error, database, `batch ${request.batchId}`);
    }
  };
