import { Client, Connection, type ConnectionOptions } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { ConfigurationError, UnreachableError } from '../errors.ts';

/** Where Temporal is, from the environment (`TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, …) or a profile of Temporal's own. */
export interface TemporalTarget {
  connection: ConnectionOptions;
  namespace: string;
  address: string;
}

/** Reads `TEMPORAL_*` and the profile file; the default is a local development server. */
export function temporalTarget(): TemporalTarget {
  try {
    const { connectionOptions, namespace } = loadClientConnectConfig();
    const address = connectionOptions.address ?? 'localhost:7233';
    return { connection: { ...connectionOptions, address }, namespace: namespace ?? 'default', address };
  } catch (error) {
    throw new ConfigurationError(`Temporal's configuration cannot be read: ${(error as Error).message}`, {
      next: 'correct the TEMPORAL_* variables or the profile file',
      cause: error,
    });
  }
}

/** What to say when Temporal does not answer. */
export function temporalUnreachable(address: string, cause: unknown): UnreachableError {
  return new UnreachableError(`the Temporal server at ${address} does not answer`, {
    where: `TEMPORAL_ADDRESS ${address}`,
    next: 'start one (waybill dev, or: temporal server start-dev), or set TEMPORAL_ADDRESS to one that runs',
    cause,
  });
}

/** A client; throws `UnreachableError` within seconds. Close its connection. */
export async function connectTemporal(target: TemporalTarget = temporalTarget()): Promise<Client> {
  try {
    const connection = await Connection.connect({ ...target.connection, connectTimeout: '5 seconds' });
    return new Client({ connection, namespace: target.namespace });
  } catch (error) {
    throw temporalUnreachable(target.address, error);
  }
}
