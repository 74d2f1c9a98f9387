import type { Client } from '@temporalio/client';
import type { Logger } from 'pino';
import { SEARCH_ATTRIBUTES } from '../workflows/messages.ts';

/** Asked again after this long: somebody may have added what was missing. */
const ASK_EVERY_MS = 60_000;

/**
 * Those of our search attributes that the server has. A workflow that upserts one that is missing stops for ever, so a
 * missing one is a warning and is left out.
 */
export function searchAttributes(client: Client, namespace: string, log: Logger): () => Promise<string[]> {
  let known: Promise<string[]> | undefined;
  let askedAt = 0;
  const ask = async (): Promise<string[]> => {
    const { customAttributes } = await client.connection.operatorService.listSearchAttributes({ namespace });
    const names = Object.keys(SEARCH_ATTRIBUTES) as (keyof typeof SEARCH_ATTRIBUTES)[];
    const missing = names.filter((name) => !(name in (customAttributes ?? {})));
    if (missing.length > 0) {
      log.warn(
        { missing },
        `the Temporal server lacks search attributes; loads cannot be searched by them. Create them: ${creating(missing, namespace)}`,
      );
    }
    return names.filter((name) => !missing.includes(name));
  };
  return () => {
    if (!known || Date.now() - askedAt > ASK_EVERY_MS) {
      askedAt = Date.now();
      known = ask().catch(() => []); // a server that does not say: no attributes, loads run all the same
    }
    return known;
  };
}

/** Temporal's CLI makes the first one only of several names. */
function creating(missing: (keyof typeof SEARCH_ATTRIBUTES)[], namespace: string): string {
  const create = `temporal operator search-attribute create --namespace ${namespace}`;
  return missing.map((name) => `${create} --type ${SEARCH_ATTRIBUTES[name]} --name ${name}`).join(' && ');
}
