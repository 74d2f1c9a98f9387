import type { Problem } from './problem.ts';
import type { ValuePath, YamlFile } from './yaml-file.ts';

/** Server settings that `session_params` must not touch, and why. */
const REFUSED: Record<string, string> = {
  transaction_isolation: 'isolation is said by Waybill at every BEGIN',
  default_transaction_isolation: 'isolation is said by Waybill at every BEGIN',
  transaction_read_only: 'a load writes',
  default_transaction_read_only: 'a load writes',
  transaction_deferrable: 'transactions are opened by Waybill',
  default_transaction_deferrable: 'transactions are opened by Waybill',
  autocommit: 'transactions are opened and committed by Waybill',
  role: 'a load runs as the user of its connection',
  session_authorization: 'a load runs as the user of its connection',
  is_superuser: 'a load runs as the user of its connection',
  row_security: 'a hidden row would be lost without a word',
  session_replication_role: 'it would switch off the triggers that protect the snapshot',
  standard_conforming_strings: 'it changes how SQL is read',
  sql_mode: 'it changes how SQL is read, and whether values that do not fit are refused',
  sql_select_limit: 'rows would be left out without a word',
  max_recursive_iterations: 'rows would be left out without a word',
  sql_auto_is_null: 'rows would be read twice without a word',
  system_versioning_asof: 'rows would be read as they were once',
  sql_notes: 'notes and warnings tell what a copy would change',
  note_verbosity: 'notes and warnings tell what a copy would change',
  max_error_count: 'notes and warnings tell what a copy would change',
  lc_messages: 'by the server’s English words errors are told apart',
  array_nulls: 'it changes how values are read',
  sql_log_bin: 'replicas would not get what the load writes',
  completion_type: 'transactions are committed by Waybill',
  tx_isolation: 'isolation is said by Waybill at every BEGIN',
  tx_read_only: 'a load writes',
  timestamp: 'the clock is the server’s',
  character_set_client: 'Waybill speaks UTF-8',
  character_set_connection: 'Waybill speaks UTF-8',
  collation_connection: 'its character set would be that of all texts, and Waybill speaks UTF-8',
  character_set_results: 'Waybill speaks UTF-8',
  client_encoding: 'Waybill speaks UTF-8',
};

/** Why no load sets this; undefined: it may. */
export const whyNotSet = (name: string): string | undefined =>
  Object.hasOwn(REFUSED, name.toLowerCase()) ? REFUSED[name.toLowerCase()] : undefined;

/** Why a load without `zoned` sets no time zone. */
const UTC = 'times travel in UTC';

/** The styles of PostgreSQL's texts, and why a load with `copiesWithin` sets none. */
const STYLES = new Set(['datestyle', 'intervalstyle', 'extra_float_digits', 'bytea_output']);
const ONE_STYLE = 'windows and values travel as text from this connection into itself, in one style';

/** What the statements are that the settings are for. */
export interface SettingsUse {
  /** They may run in a time zone of their own. */
  zoned: boolean;
  /**
   * They copy from a connection into itself: the source has the settings, too, and the window's end, which a later start reads without
   * them, would be written in their style.
   */
  copiesWithin?: boolean;
}

/** Refuses settings that would take a transaction out of Waybill's hands. Answers the rest as text, names in lower case. */
export function sessionSettings(
  yaml: YamlFile,
  at: ValuePath,
  given: Record<string, string | number | boolean>,
  use: SettingsUse,
  problems: Problem[],
): Record<string, string> {
  const settings: Record<string, string> = {};
  for (const [name, value] of Object.entries(given)) {
    const key = name.toLowerCase();
    const why = whyNotHere(key, use);
    if (why !== undefined) {
      const message = `\`session_params\` cannot set \`${name}\`: ${why}`;
      problems.push({
        ...yaml.place([...at, name], 'key'),
        message,
        next:
          why === ONE_STYLE
            ? 'Leave it out, or say it for the step that needs it: `{ sql, session_params }`.'
            : 'Leave it out.',
        severity: 'error',
      });
    }
    settings[key] = typeof value === 'boolean' ? (value ? 'on' : 'off') : String(value);
  }
  return settings;
}

function whyNotHere(key: string, { zoned, copiesWithin = false }: SettingsUse): string | undefined {
  if (key === 'time_zone' && !zoned) return UTC;
  return copiesWithin && STYLES.has(key) ? ONE_STYLE : whyNotSet(key);
}
