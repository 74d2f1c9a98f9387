import type { LoadDefinition } from '../config/definition.ts';
import type { ValuePath } from '../config/yaml-file.ts';
import type { Database } from '../database/dialect.ts';
import { withoutLedger } from '../database/hidden-text.ts';
import { reading } from '../database/transaction.ts';

type Settings = Record<string, string>;

/** A setting of `session_params` that the server will not have: where the load says it, and what the server says. */
export interface SettingsRefusal {
  at: ValuePath;
  message: string;
  next: string;
}

/** Has the server take the settings of a load, and of steps that have their own, for transactions that do nothing. */
export async function settingsRefusals(database: Database, load: LoadDefinition): Promise<SettingsRefusal[]> {
  const found: SettingsRefusal[] = [];
  for (const [at, settings] of settingsOf(load)) {
    const one = await refusalOf(database, load.name, settings);
    if (!one) continue;
    const { name, reason } = one;
    const message = `${database.connection} will not have ${name}: ${settings[name]} of session_params: ${reason}`;
    found.push({ at, message, next: `Correct ${name}, or leave it out.` });
  }
  return found;
}

function settingsOf({ sessionParams, before, after, onError }: LoadDefinition): [ValuePath, Settings][] {
  const steps = Object.entries({ before, after, on_error: onError }).flatMap(([key, list]) =>
    list.flatMap((step): [ValuePath, Settings][] => (step.sessionParams ? [[[key], step.sessionParams]] : [])),
  );
  return [[['session_params'], sessionParams], ...steps];
}

/** All of them at once, as a chunk has them; where that fails, one by one: a session each, for what one has set would stay on it. */
async function refusalOf(
  database: Database,
  load: string,
  settings: Settings,
): Promise<{ name: string; reason: string } | undefined> {
  if (Object.keys(settings).length === 0 || (await reasonAgainst(database, load, settings)) === undefined) return;
  for (const [name, value] of Object.entries(settings)) {
    const reason = await reasonAgainst(database, load, { [name]: value });
    if (reason !== undefined) return { name, reason };
  }
}

async function reasonAgainst(database: Database, load: string, settings: Settings): Promise<string | undefined> {
  const { time_zone: timeZone } = settings;
  try {
    // A time zone may be one of statements, not of transactions.
    await reading(
      database,
      `waybill read ${load}`,
      (session) => session.run({ text: 'select 1', values: [], ...(timeZone !== undefined && { timeZone }) }),
      { settings },
    );
    return undefined;
  } catch (error) {
    if (database.dialect.classify(error).kind !== 'permanent') throw error;
    return withoutLedger((error as Error).message); // no rows were read whose values it could hold
  }
}
