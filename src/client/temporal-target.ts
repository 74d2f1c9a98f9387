import type { ConnectionOptions } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { ConfigurationError } from '../errors.ts';

/** Where Temporal is, from the environment (`TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, …) or a profile of Temporal's own. */
export interface TemporalTarget {
  connection: ConnectionOptions;
  namespace: string;
  address: string;
}

/** Reads `TEMPORAL_*` and the profile file; the default is a local development server. */
export function temporalTarget(env: NodeJS.ProcessEnv = process.env): TemporalTarget {
  try {
    const overrideEnvVars = Object.fromEntries(
      Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined),
    );
    const { connectionOptions, namespace } = loadClientConnectConfig({ overrideEnvVars });
    const address = connectionOptions.address ?? 'localhost:7233';
    return { connection: { ...connectionOptions, address }, namespace: namespace ?? 'default', address };
  } catch (error) {
    throw new ConfigurationError(`Temporal's configuration cannot be read: ${(error as Error).message}`, {
      next: 'correct the TEMPORAL_* variables or the profile file',
      cause: error,
    });
  }
}
