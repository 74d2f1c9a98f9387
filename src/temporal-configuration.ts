import { loadClientConnectConfig } from '@temporalio/envconfig';
import { ConfigurationError } from './errors.ts';

/** What `TEMPORAL_*` and the profile file of Temporal's own say, and no more. Throws `ConfigurationError` where they cannot be read. */
export function temporalConfiguration(env: NodeJS.ProcessEnv): ReturnType<typeof loadClientConnectConfig> {
  const overrideEnvVars = Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  try {
    return loadClientConnectConfig({ overrideEnvVars });
  } catch (error) {
    throw new ConfigurationError(`Temporal's configuration cannot be read: ${(error as Error).message}`, {
      next: 'correct the TEMPORAL_* variables or the profile file',
      cause: error,
    });
  }
}
