import { failureOf } from './error-summary.ts';
import { FAILURE, type LoadInput, type SessionInput } from './messages.ts';

/** What a value of an input may be, and how it is said. */
interface Form {
  said: string;
  accepts(value: unknown): boolean;
  /** Only workflows write it themselves. */
  own?: true;
}

const TEXT: Form = { said: 'a text', accepts: (value) => typeof value === 'string' };
const FLAG: Form = { said: 'true or false', accepts: (value) => typeof value === 'boolean' };
const BOUND: Form = {
  said: 'a text or a number',
  accepts: (value) => typeof value === 'string' || typeof value === 'number',
};
const OWN: Form = { said: 'an object', accepts: isObject, own: true };
const OWN_BATCHES: Form = {
  own: true,
  said: 'a list of batch ids',
  accepts: (value) => Array.isArray(value) && value.every((id) => typeof id === 'string' && /^\d+$/.test(id)),
};
const PARAMS: Form = {
  said: 'an object whose values are texts, numbers, true, false or null',
  accepts: (value) =>
    isObject(value) &&
    Object.values(value).every((one) => one === null || ['string', 'number', 'boolean'].includes(typeof one)),
};

const OF_LOAD: Record<keyof LoadInput, Form> = {
  load: TEXT,
  force: FLAG,
  resume: FLAG,
  adopt: FLAG,
  since: BOUND,
  until: BOUND,
  full: FLAG,
  params: PARAMS,
  requestedBy: TEXT,
  project: TEXT,
  window: OWN,
  keepRowsOf: OWN_BATCHES,
  continued: OWN,
};

const OF_SESSION: Record<keyof SessionInput, Form> = {
  session: TEXT,
  requestedBy: TEXT,
  params: PARAMS,
  project: TEXT,
};

/** Anybody can start a workflow by hand; an error in the input must fail it, not its task for ever, and not mean something else. */
export function refuseBadLoadInput(input: unknown): void {
  refuseBadInput(input, 'load', 'core.flight', OF_LOAD);
}

/** The same of a session. */
export function refuseBadSessionInput(input: unknown): void {
  refuseBadInput(input, 'session', 'nightly', OF_SESSION);
}

function refuseBadInput(input: unknown, what: string, example: string, forms: Record<string, Form>): void {
  const given: Record<string, unknown> = isObject(input) ? input : {};
  const name = given[what];
  if (typeof name !== 'string' || name === '') {
    throw refusal(`the input names no ${what}`, `give it as { "${what}": "${example}" }`);
  }
  for (const [key, value] of Object.entries(given)) {
    const form = Object.hasOwn(forms, key) ? forms[key] : undefined;
    if (form === undefined) {
      const known = Object.keys(forms).filter((one) => !forms[one]!.own);
      const message = `the input of ${what} ${name} has a key that means nothing: ${key}, ${shown(value)}`;
      throw refusal(message, `leave it out; there are ${known.join(', ')}`);
    }
    if (value === undefined || form.accepts(value)) continue;
    const message = `${key} in the input of ${what} ${name} is ${shown(value)}, and must be ${form.said}`;
    throw refusal(message, `correct it, or leave it out`);
  }
}

const refusal = (message: string, next: string) => failureOf({ type: FAILURE.configuration, message, next });

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A value as its JSON says it, not at any length. */
function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
