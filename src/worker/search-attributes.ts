import type { Client } from '@temporalio/client';
import type { Logger } from 'pino';
import { SEARCH_ATTRIBUTES } from '../workflows/messages.ts';

/** Asked again after this long: somebody may have added what was missing. */
const ASK_EVERY_MS = 60_000;

/** As Temporal's CLI calls them, by their numbers in its API (`IndexedValueType` of temporal/api/enums/v1/common.proto). */
const TYPES = ['Unspecified', 'Text', 'Keyword', 'Int', 'Double', 'Bool', 'Datetime', 'KeywordList'];

type Attribute = keyof typeof SEARCH_ATTRIBUTES;

/**
 * Those of our search attributes that the server has. A workflow that upserts one that is missing, or of another type, stops for ever, so
 * such a one is a warning and is left out.
 */
export function searchAttributes(client: Client, namespace: string, log: Logger): () => Promise<string[]> {
  let known: Promise<string[]> | undefined;
  let askedAt = 0;
  const ask = async (): Promise<string[]> => {
    const { customAttributes } = await client.connection.operatorService.listSearchAttributes({ namespace });
    const names = Object.keys(SEARCH_ATTRIBUTES) as Attribute[];
    const typeOf = (name: Attribute): string | undefined => {
      const type = customAttributes?.[name];
      return type === undefined ? undefined : (TYPES[type] ?? `of type ${type}`);
    };
    const missing = names.filter((name) => typeOf(name) === undefined);
    if (missing.length > 0) {
      log.warn(
        { missing },
        `the Temporal server lacks search attributes; loads cannot be searched by them. Create them: ${creating(missing, namespace)}`,
      );
    }
    const right = names.filter((name) => typeOf(name) === SEARCH_ATTRIBUTES[name]);
    const mistyped = names.filter((name) => !missing.includes(name) && !right.includes(name));
    if (mistyped.length > 0) {
      const types = mistyped.map((name) => `${name} is ${typeOf(name)}, and should be ${SEARCH_ATTRIBUTES[name]}`);
      log.warn(
        { mistyped },
        `search attributes of the Temporal server are of another type; loads cannot be searched by them: ${types.join('; ')}. ` +
          `Remove and create them: ${removing(mistyped, namespace)} && ${creating(mistyped, namespace)}`,
      );
    }
    return right;
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
function creating(names: Attribute[], namespace: string): string {
  const create = `temporal operator search-attribute create --namespace ${namespace}`;
  return names.map((name) => `${create} --type ${SEARCH_ATTRIBUTES[name]} --name ${name}`).join(' && ');
}

function removing(names: Attribute[], namespace: string): string {
  const remove = `temporal operator search-attribute remove --namespace ${namespace} --yes`;
  return names.map((name) => `${remove} --name ${name}`).join(' && ');
}
