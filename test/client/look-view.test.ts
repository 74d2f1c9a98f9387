import { describe, expect, test } from 'vitest';
import type { LoadLook } from '../../src/client/follow-run.ts';
import { lookView } from '../../src/client/look-view.ts';
import type { Named } from '../../src/client/names.ts';
import type { SessionView } from '../../src/client/views.ts';
import type { Project } from '../../src/config/definition.ts';

const look = (load: string, more: Partial<LoadLook>): LoadLook => ({
  ...{ load, status: 'running', phase: undefined, paused: false, waiting: undefined, batch: undefined, stages: [] },
  ...{ rejected: undefined, error: undefined, reason: undefined },
  ...more,
});

describe('a run that is left before its end, as a document', () => {
  const nightly = { kind: 'session', name: 'nightly' } as Named;
  const view = (looks: LoadLook[]) => lookView({ loads: {} } as Project, nightly, looks) as SessionView;

  test('says of a load that had nothing to do why', () => {
    const reason = 'no file is data/*.csv, on worker a:17';
    const { loads } = view([look('acquisition.item', { status: 'nothing', reason }), look('core.order', {})]);
    expect(loads[0]).toMatchObject({ status: 'nothing', reason });
    expect(loads[1]).not.toHaveProperty('reason');
  });

  test('counts the rows that were rejected so far; null where the ledger does not answer', () => {
    const batch = { batchId: '7', state: 'running' as const };
    const { loads } = view([look('core.a', { batch, rejected: 3 }), look('core.b', { batch })]);
    expect(loads).toMatchObject([{ rows_rejected: 3 }, { rows_rejected: null }]);
  });
});
