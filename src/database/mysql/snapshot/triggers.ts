import { LoadFailedError } from '../../../errors.ts';
import { sql } from '../../sql.ts';
import { allRowsAbout } from '../catalog.ts';
import { quoteText } from '../names.ts';
import type { MysqlSession } from '../session.ts';
import { withTablesLocked } from './lock-tables.ts';
import { at, ownName, quoted, type Place } from './place.ts';
import { inSession } from './settings.ts';

/** A trigger with all that its text means something by. */
export interface Trigger {
  name: string;
  timing: string;
  event: string;
  body: string;
  definer: string;
  sqlMode: string;
  client: string;
  collation: string;
}

/** In the order in which they fire. */
export async function triggersOf(
  session: MysqlSession,
  { schema }: Pick<Place, 'schema'>,
  table: string,
): Promise<Trigger[]> {
  const rows = await allRowsAbout<Trigger>(
    session,
    at({ schema }, table),
    (condition) => sql`
    select trigger_name as name, action_timing as timing, event_manipulation as event, action_statement as body,
      definer as definer, sql_mode as sqlMode, character_set_client as client, collation_connection as collation
    from information_schema.triggers
    where event_object_schema = ${schema} and event_object_table = ${table} and ${condition}
    order by action_timing, event_manipulation, action_order`,
  );
  const hidden = rows.find(({ definer }) => definer === null);
  if (hidden) {
    throw new LoadFailedError(
      `this account lacks the privilege TRIGGER, without which it sees of ${hidden.name} only that it is there`,
      {
        where: `${schema}.${table}`,
        next: `grant trigger on ${quoted(schema)}.* to this account`,
      },
    );
  }
  const triggers = rows.map((row) => ({ ...row, body: String(row.body), sqlMode: String(row.sqlMode) }));
  for (const trigger of triggers) {
    if (session.server.listsTriggersUnescaped) trigger.body = await writtenBody(session, { schema }, trigger.name);
    else if (trigger.body.includes('?')) trigger.body = await wholeBody(session, { schema }, trigger);
  }
  return triggers;
}

const BODY =
  /^CREATE DEFINER=(?:`[^`]*`)+@(?:`[^`]*`)+ TRIGGER (?:`[^`]*`)+ \w+ \w+ ON (?:`[^`]*`)+ FOR EACH ROW ([^]*)$/;

/** MySQL's information_schema has texts unescaped: a quote in one would end it. What stands before the body it writes itself. */
async function writtenBody(session: MysqlSession, place: Pick<Place, 'schema'>, name: string): Promise<string> {
  const body = BODY.exec(await statementOf(session, place, name))?.[1];
  if (body === undefined) throw unknownForm(name);
  return body;
}

/**
 * MariaDB's information_schema has the body in characters of three bytes at most, any other one as a question mark; SHOW has it as it
 * was written, after a head that is anyhow written too.
 */
async function wholeBody(session: MysqlSession, place: Pick<Place, 'schema'>, trigger: Trigger): Promise<string> {
  const statement = await statementOf(session, place, trigger.name);
  if (!/[\u{10000}-\u{10FFFF}]/u.test(statement)) return trigger.body;
  const body = [...statement].slice(-[...trigger.body].length).join('');
  if (body.replaceAll(/[\u{10000}-\u{10FFFF}]/gu, '?') !== trigger.body) throw unknownForm(trigger.name);
  return body;
}

async function statementOf(session: MysqlSession, place: Pick<Place, 'schema'>, name: string): Promise<string> {
  const { rows } = await session.query<{ 'SQL Original Statement': string }>({
    strings: [`show create trigger ${at(place, name)}`],
    values: [],
  });
  return rows[0]!['SQL Original Statement'];
}

const unknownForm = (name: string): Error =>
  new LoadFailedError(`the server shows trigger ${name} in a form that is not known`, {
    next: `make it again as SHOW CREATE TRIGGER ${name} shows it, without characters beyond U+FFFF (emoji) and N'…' texts in its body`,
  });

/**
 * Names of triggers are the whole schema's, and a trigger stays with its table when that is renamed. So the twin gets stand-ins,
 * which do the same under other names until the one of the old name is on the landing table beside them, and from then on nothing: at
 * each moment a writer meets the trigger once, whatever breaks off in between. Beside them, because a writer may have the catalog as it
 * was before the swap (`repeatsCatalogReads`), with the old name on the table and no stand-in there. Their names are one swap's alone: a
 * catalog that is older still has none of them.
 */
export async function makeStandIns(
  session: MysqlSession,
  place: Place,
  relationId: string,
  triggers: readonly Trigger[],
): Promise<void> {
  for (const trigger of triggers) {
    const name = standIn(relationId, trigger);
    const body = `begin if (select count(*) from information_schema.triggers where trigger_schema = ${text(place.schema)}
 and event_object_table = ${text(place.name)} and trigger_name in (${text(trigger.name)}, ${text(name)})) < 2 then
${unended(trigger.body)}
; end if; end`;
    await create(session, place, place.twin, { ...trigger, name, body });
  }
}

/** MySQL has a semicolon in it that stood behind it, where another statement came with it. */
const unended = (body: string): string => body.replace(/[\s;]+$/, '');

/** `of`: the swap's relationId. Older versions named them by their table, so that one which they left half-way has such names. */
const standIn = (of: string, { name }: Trigger): string => ownName('tr', `${of}.${name}`);

/** Read in the sql_mode of the trigger, in which a backslash or a double quote may mean anything. */
const text = (value: string): string => `convert(x'${Buffer.from(value).toString('hex')}' using utf8mb4)`;

/**
 * Gives the names back, after the swap, each step for itself: what an earlier attempt has done is left as it is. Where a writer
 * may have an older catalog, he would meet a trigger that is back already and its stand-in: there nobody writes meanwhile.
 */
export async function replaceStandIns(
  session: MysqlSession,
  place: Place,
  relationId: string,
  triggers: readonly Trigger[],
): Promise<void | 'busy'> {
  if (triggers.length === 0) return;
  const there = new Set((await triggersOf(session, place, place.name)).map(({ name }) => name));
  const standing = (trigger: Trigger): string | undefined =>
    [relationId, place.name].map((of) => standIn(of, trigger)).find((name) => there.has(name));
  const left = triggers.filter((trigger) => !there.has(trigger.name) || standing(trigger) !== undefined);
  if (left.length === 0) return; // writers would be kept waiting for nothing
  const missing = left.filter(({ name }) => !there.has(name));
  for (const { name } of missing) await session.say(`drop trigger if exists ${at(place, name)}`); // the snapshot's
  const changePlaces = async (): Promise<void> => {
    for (const [i, trigger] of left.entries()) {
      // Where somebody has dropped its own, before that of the trigger which fires next.
      const next = left.slice(i).find((other) => standing(other) !== undefined && firesWith(trigger, other));
      if (missing.includes(trigger)) await create(session, place, place.name, trigger, next && standing(next));
      const own = standing(trigger);
      if (own !== undefined) await session.say(`drop trigger if exists ${at(place, own)}`);
    }
  };
  if (!session.server.repeatsCatalogReads) return changePlaces();
  return withTablesLocked(session, [at(place, place.name)], changePlaces);
}

const firesWith = (one: Trigger, other: Trigger): boolean => one.timing === other.timing && one.event === other.event;

async function create(
  session: MysqlSession,
  place: Place,
  table: string,
  trigger: Trigger,
  before?: string,
): Promise<void> {
  const text =
    `create definer = ${account(trigger.definer)} trigger ${at(place, trigger.name)} ${trigger.timing} ${trigger.event} ` +
    `on ${at(place, table)} for each row ${before === undefined ? '' : `precedes ${quoted(before)} `}${trigger.body}`;
  // Our text is utf8mb4: that stays the client's where anything in it, a name too, has letters that are not ASCII.
  const client = Buffer.byteLength(text) === text.length ? trigger.client : 'utf8mb4';
  const settings = {
    sql_mode: quoteText(trigger.sqlMode),
    character_set_client: quoteText(client),
    collation_connection: quoteText(trigger.collation),
  };
  try {
    await inSession(session, settings, () => session.say(text));
  } catch (cause) {
    if (!MAY_NOT.has((cause as { errno?: number }).errno ?? 0)) throw cause;
    throw new LoadFailedError(
      `the triggers of ${place.table} cannot be made on its twin: ${(cause as Error).message}`,
      { where: place.table, next: TRIGGER_RIGHTS, cause },
    );
  }
}

/** `mary@%`: a host has no @. MariaDB's roles have none at all (`auditors@`): with an @ the server takes one for a user of that name. */
function account(definer: string): string {
  const end = definer.lastIndexOf('@');
  const [name, host] = [quoted(definer.slice(0, end)), definer.slice(end + 1)];
  return host === '' ? name : `${name}@${quoted(host)}`;
}

/** No privilege for triggers, for another's account as definer, or, with a binary log, for any that it does not trust. */
export const MAY_NOT = new Set([1142, 1227, 1419, 1044]);
export const TRIGGER_RIGHTS =
  'Grant the account TRIGGER on the schema; with a binary log, set log_bin_trust_function_creators = 1 on the server; ' +
  'for triggers of other accounts, grant SET_ANY_DEFINER (MySQL before 8.2: SET_USER_ID; MariaDB: SET USER), on MySQL also ' +
  'SYSTEM_USER where the definer has it (root), and ALLOW_NONEXISTENT_DEFINER where the definer is gone.';
