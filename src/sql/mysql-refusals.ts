import type { Refusal } from './dialect.ts';
import { ONE_TRANSACTION, OWN_CONNECTION, TASK_OUTPUT } from './refusal-remedies.ts';

const STEP = 'Put it under before: or after:, whose steps run at least once where a statement commits by itself.';
const COMMITS = 'it commits by itself, so rows written before it in the chunk would outlive a roll back';
const SETTING = 'Leave it out, or put the setting under session_params: of the load.';

/** `set x`, `set session x`, `set @@x`, and the same after a comma. */
const assigns = (names: string) =>
  new RegExp(`^set (?:.*, )?(?:(?:global|session|local|persist|persist_only) |@@(?:\\w+\\.)?)?(?:${names})\\b`);

/** What MySQL or MariaDB would take, or refuse too late, and the engine must not send. First match wins. */
export const mysqlRefusals: readonly Refusal[] = [
  {
    statement: /^xa\b/,
    why: "two-phase commit takes the transaction out of the ledger's hands",
    next: ONE_TRANSACTION,
  },
  {
    statement: /^(?:begin|start transaction|commit|rollback|savepoint|release savepoint)\b/,
    why: 'a chunk is exactly one transaction, and rows and ledger commit together',
    next: ONE_TRANSACTION,
  },
  {
    statement: /^call\b/,
    why: 'a procedure can commit and begin anew unseen, and its rows would outlive a roll back',
    next: 'Write its statements here, or make it a function: a function cannot commit.',
  },
  {
    statement: /^(?:prepare|execute|deallocate|drop prepare)\b/,
    why: 'what a prepared statement does cannot be seen here, and it may commit',
    next: 'Write the statement itself; values are bound by :name.',
  },
  {
    statement: /^(?:(?:lock|unlock) (?:tables?|instance)|flush .*\b(?:with read lock|for export)|backup)\b/,
    why: 'it commits what was written before, and hides tables or blocks writers until the connection ends',
    next: 'Leave it out: a chunk or step holds its row locks until its own commit.',
  },
  {
    statement: /^use\b/,
    why: 'every later statement on the connection would look for its tables, the ledger too, in another database',
    next: 'Write the database before the table: database.table.',
  },
  {
    statement: /^load (?:data|xml) (?:\w+ )?local\b/,
    why: "the server would ask the engine for a file, and the engine serves nothing but an acquisition's own rows",
    next: 'Bring rows in with an acquisition, or let the server read a file of its own (without "local").',
  },
  {
    // What CREATE makes is run later. (`into dumpfile` alone may name a table.)
    statement: /^(?!create (?!(?:or replace )?temporary )|alter ).*\binto (?:outfile|dumpfile) ''/,
    named: 'into outfile',
    why: 'no roll back takes the file away, and the server writes over none: whatever does it again (another attempt, a redo, the next batch) fails',
    next: TASK_OUTPUT,
  },
  {
    statement:
      /^(?:kill|shutdown|restart|reset|purge|change|clone|binlog|import|install|uninstall|(?:start|stop) (?:replica|slave|all|group_replication)|alter instance)\b/,
    why: 'it acts on the whole server, and no roll back takes that back',
    next: OWN_CONNECTION,
  },
  {
    statement: /^truncate\b/,
    why: COMMITS,
    next: `Write "delete from", which rolls back with its chunk. Otherwise: ${STEP.toLowerCase()}`,
    commitsByItself: true,
  },
  {
    statement:
      /^(?:grant|revoke|set password|set default role|(?:create (?:or replace )?|alter |drop |rename )(?:user|role))\b/,
    why: COMMITS,
    next: STEP,
    commitsByItself: true,
  },
  {
    statement: /^(?:create (?!(?:or replace )?temporary table )|alter |drop (?!temporary tables? )|rename )/,
    why: COMMITS,
    next: `${STEP} "create temporary table" and "drop temporary table" commit nothing.`,
    commitsByItself: true,
  },
  {
    statement:
      /^(?:(?:analyze|optimize|repair) (?:(?:no_write_to_binlog|local) )?tables?|repair view|check (?:table|view)s?|flush|cache index|load index)\b/,
    why: COMMITS,
    next: STEP,
    commitsByItself: true,
  },
  {
    statement: assigns('autocommit|completion_type'),
    why: 'a chunk is exactly one transaction, and rows and ledger commit together',
    next: ONE_TRANSACTION,
  },
  {
    statement: assigns('transaction|transaction_isolation|transaction_read_only|tx_isolation|tx_read_only'),
    why: 'the gate rests on READ COMMITTED, which the engine sets',
    next: 'Leave it out.',
  },
  {
    statement: assigns('role'),
    why: 'under another role the engine may lose its own ledger in the middle of a chunk',
    next: "Give the user in the connection's URL, or grant what is missing.",
  },
  {
    statement: assigns(
      'names|charset|character set|char set|character_set_client|character_set_connection|collation_connection|sql_mode',
    ),
    why: 'it changes how the server reads the text that the engine sends',
    next: 'Leave it out; the engine speaks utf8mb4, strict, with backslash escapes and without ANSI_QUOTES.',
  },
  {
    statement: /^set (?:.*, )?(?:(?:global|persist|persist_only) |@@(?:global|persist|persist_only)\.)/,
    why: 'it changes the setting for everybody on the server',
    next: OWN_CONNECTION,
  },
  {
    statement: /^set statement\b/,
    why: 'what stands after "for" could be any statement, and the setting belongs to the load',
    next: 'Put the setting under session_params: of the load, and write the statement itself.',
  },
  {
    // All but user variables. A comma within an expression that is followed by `x =` looks like a second assignment.
    statement: /^set (?:(?!@[^@])|.*, (?:@@|[^,()@]*?:?= ))/,
    why: 'the setting would outlive the transaction and change other loads on the same connection',
    next: `${SETTING} User variables may be set, one statement for each: set @x = ….`,
  },
  {
    statement: /^(?:end (?:if|case|while|loop|repeat)|else(?:if)?|when)\b/,
    why: 'it is a part of a routine whose body was cut at `;`',
    next: 'Put the body of the routine or trigger between begin and end.',
  },
  {
    // Whatever is left: what is not known to keep the transaction open may not stand in it.
    statement:
      /^(?!(?:\( )*(?:select|with|values|table)\b|(?:insert|replace|update|delete|do|set|show|describe|desc|explain|analyze|load|signal|get|help|checksum)\b|create |drop )/,
    why: 'the engine does not know that it leaves the transaction open',
    next: 'Begin with select, with, insert, replace, update, delete, do or load data.',
  },
];
