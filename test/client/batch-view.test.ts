import { describe, expect, test } from 'vitest';
import { batchView, nextStep } from '../../src/client/batch-view.ts';
import type { AcquisitionSource } from '../../src/config/definition.ts';
import type { Batch } from '../../src/control/batch.ts';
import { errorClassOf } from '../../src/workflows/error-summary.ts';
import { FAILURE } from '../../src/workflows/messages.ts';

describe('what to do about an acquisition that failed', () => {
  const step = (from: AcquisitionSource): string | null =>
    nextStep({
      ...{ state: 'failed', loadName: 'acquisition.item', errorClass: 'database' },
      definition: { kind: 'acquisition', outputs: [], from },
    });

  test('of a cursor, whose start may read a gap alone, names the way around it', () => {
    const mended = 'mend the cause, then: waybill run acquisition.item';
    expect(step({ connection: 'source', table: 'item', cursor: 'id' })).toBe(
      `${mended} (a new batch begins where this one did; --since reads what is newer without it)`,
    );
    expect(step({ connection: 'source', table: 'item' })).toBe(
      `${mended} (a new batch reads the same again, and what is newer)`,
    );
  });
});

describe('the error of a failed batch', () => {
  test.each([...Object.values(FAILURE), 'Error', 'Forced', 'TypeError'])(
    'has the type that its run ended with: %s',
    (type) => {
      const errorClass = errorClassOf({ type, message: 'what happened' });
      const failed = { state: 'failed', errorClass, error: 'what happened', definition: { kind: 'core' } };
      const batch = { ...failed, startedAt: new Date(0), finishedAt: null } as Batch;
      expect(batchView(batch, [], 0, []).error).toMatchObject({ type, message: 'what happened' });
    },
  );
});
