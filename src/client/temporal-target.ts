import type { ConnectionOptions } from '@temporalio/client';
import { temporalConfiguration } from '../temporal-configuration.ts';

/** Where Temporal is, from the environment (`TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, …) or a profile of Temporal's own. */
export interface TemporalTarget {
  connection: ConnectionOptions;
  namespace: string;
  address: string;
}

/** Reads `TEMPORAL_*` and the profile file; the default is a local development server. Throws as `temporalConfiguration` does. */
export function temporalTarget(env: NodeJS.ProcessEnv = process.env): TemporalTarget {
  const { connectionOptions, namespace } = temporalConfiguration(env);
  const address = connectionOptions.address ?? 'localhost:7233';
  return { connection: { ...connectionOptions, address }, namespace: namespace ?? 'default', address };
}
