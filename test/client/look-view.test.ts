import { describe, expect, test } from 'vitest';
import type { LoadLook } from '../../src/client/follow-run.ts';
import { lookView } from '../../src/client/look-view.ts';
import type { Named } from '../../src/client/names.ts';
import type { Project } from '../../src/config/definition.ts';

const look = (load: string, more: Partial<LoadLook>): LoadLook => ({
  ...{ load, status: 'running', phase: undefined, paused: false, waiting: undefined, batch: undefined, stages: [] },
  ...{ error: undefined, reason: undefined },
  ...more,
});

describe('a run that is left before its end, as a document', () => {
  const nightly = { kind: 'session', name: 'nightly' } as Named;
  const view = (looks: LoadLook[]) => lookView({ loads: {} } as Project, nightly, looks);

  test('says of a load that had nothing to do why', () => {
    const reason = 'no file is data/*.csv, on worker a:17';
    const { loads } = view([look('acquisition.item', { status: 'nothing', reason }), look('core.order', {})]) as {
      loads: unknown[];
    };
    expect(loads[0]).toMatchObject({ status: 'nothing', reason });
    expect(loads[1]).not.toHaveProperty('reason');
  });
});
