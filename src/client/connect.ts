import {
  Client,
  Connection,
  defaultGrpcRetryOptions,
  isGrpcServiceError,
  makeGrpcRetryInterceptor,
  ServiceError,
  type ConnectionOptions,
} from '@temporalio/client';
import { ConfigurationError, UnreachableError } from '../errors.ts';
import { temporalTarget, type TemporalTarget } from './temporal-target.ts';

/** What to say when Temporal does not answer. */
export function temporalUnreachable(address: string, cause: unknown): UnreachableError {
  return new UnreachableError(`the Temporal server at ${address} does not answer`, {
    where: `TEMPORAL_ADDRESS ${address}`,
    next: 'start one (waybill dev, or: temporal server start-dev), or set TEMPORAL_ADDRESS to one that runs',
    cause,
  });
}

type Interceptor = NonNullable<ConnectionOptions['interceptors']>[number];
type Call = ReturnType<Interceptor>;

/** gRPC's CANCELLED. */
const CANCELLED = 1;

/**
 * A call that is tried again after its connection was closed ends as one that was given up. gRPC throws there, in a timer of the SDK's, where
 * nothing can catch it: whoever left a run while Temporal was away got a stack trace. A first call throws to who makes it.
 */
function giveUpWhenClosed(): Interceptor {
  const begun = new WeakSet<object>();
  return (options, nextCall) => {
    const isFirst = !begun.has(options);
    begun.add(options);
    try {
      return nextCall(options) as Call;
    } catch (error) {
      if (isFirst) throw error;
      return givenUp((error as Error).message);
    }
  };
}

function givenUp(details: string): Call {
  const nothing = (): void => undefined;
  const call: Pick<Call, 'start' | 'sendMessage' | 'halfClose'> = {
    start: (metadata, listener) => {
      // Not those of the request: they have its key.
      const none = new (metadata.constructor as new () => typeof metadata)();
      setImmediate(() => listener?.onReceiveStatus?.({ code: CANCELLED, details, metadata: none }));
    },
    sendMessage: nothing,
    halfClose: nothing,
  };
  return call as Call;
}

/** A client; throws `UnreachableError` after `patienceMs` milliseconds without an answer. Close its connection. */
export async function connectTemporal(target: TemporalTarget = temporalTarget(), patienceMs = 5_000): Promise<Client> {
  try {
    const connection = await Connection.connect({
      ...target.connection,
      interceptors: [
        ...(target.connection.interceptors ?? [makeGrpcRetryInterceptor(defaultGrpcRetryOptions())]),
        giveUpWhenClosed(), // behind what tries again
      ],
      connectTimeout: patienceMs,
    });
    return new Client({ connection, namespace: target.namespace });
  } catch (error) {
    throw temporalUnreachable(target.address, error);
  }
}

/** gRPC status codes that mean "no answer": DEADLINE_EXCEEDED and UNAVAILABLE. */
const NO_ANSWER = [4, 14];
export const NOT_FOUND = 5;

/** What an error of a call to Temporal means to a person; errors that are not Temporal's pass through. */
export function temporalFailure(target: TemporalTarget, error: unknown): unknown {
  const cause = error instanceof ServiceError ? error.cause : error;
  if (!isGrpcServiceError(cause)) return error;
  const code: number = cause.code;
  if (NO_ANSWER.includes(code)) return temporalUnreachable(target.address, error);
  if (code === NOT_FOUND && /namespace/i.test(cause.details)) {
    return new ConfigurationError(`the Temporal server at ${target.address} has no namespace ${target.namespace}`, {
      where: `TEMPORAL_NAMESPACE ${target.namespace}`,
      next: `create it (temporal operator namespace create -n ${target.namespace}), or correct TEMPORAL_NAMESPACE`,
      cause: error,
    });
  }
  return new UnreachableError(`the Temporal server at ${target.address} refused: ${cause.details}`, {
    where: `namespace ${target.namespace}`,
    cause: error,
  });
}
