import type { Refusal } from './dialect.ts';
import { ONE_TRANSACTION, OWN_CONNECTION, TASK_OUTPUT } from './refusal-remedies.ts';

/** What PostgreSQL would take, or refuse too late, and the engine must not send. First match wins. */
export const postgresRefusals: readonly Refusal[] = [
  {
    statement: /^(?:prepare transaction|commit prepared|rollback prepared)\b/,
    why: "two-phase commit takes the transaction out of the ledger's hands",
    next: ONE_TRANSACTION,
  },
  {
    statement: /^(?:begin|start transaction|commit|end|rollback|abort|savepoint|release)\b/,
    why: 'a chunk is exactly one transaction, and rows and ledger commit together',
    next: ONE_TRANSACTION,
  },
  {
    statement:
      /^set (?:(?:local|session) )?(?:transaction|transaction_(?:isolation|read_only|deferrable)|default_transaction_\w+)\b|^set session characteristics\b/,
    why: 'the gate rests on READ COMMITTED, which the engine sets',
    next: 'Leave it out.',
  },
  {
    statement:
      /^(?:set (?:(?:local|session) )?(?:role|session[ _]authorization)|reset (?:role|session[ _]authorization))\b/,
    why: 'under another role the engine may lose its own ledger in the middle of a chunk',
    next: "Give the role in the connection's URL, or grant what is missing.",
  },
  {
    statement: /^set (?:(?:local|session) )?(?:standard_conforming_strings|client_encoding|names)\b/,
    why: 'it changes how the server reads the text that the engine sends',
    next: "Leave it out; a string that needs backslash escapes is written E'…'.",
  },
  {
    statement: /^set local (?:search_path|schema)\b/,
    why: 'rows would go into tables in which no roll back looks for them, and what comes next would be read with it',
    next: 'Write tables with their schema, or put search_path under session_params: of the load.',
  },
  {
    statement: /^set (?:(?:local|session) )?row_security\b/,
    why: 'a hidden row would be lost without a word',
    next: 'Leave it out; a policy that hides rows from the role is an error.',
  },
  {
    statement: /^set (?:(?:local|session) )?session_replication_role\b/,
    why: 'it would switch off the triggers that protect the snapshot',
    next: 'Leave it out.',
  },
  {
    statement: /^(?:set (?!local |constraints )|reset )/,
    why: 'the setting would outlive the transaction and change other loads on the same connection',
    next: 'Write "set local …", or put the setting under session_params: of the load.',
  },
  {
    statement: /^(?:discard all|deallocate|prepare|execute)\b/,
    why: "prepared statements and session state belong to the engine's pooled connections",
    next: 'Write the statement itself; discard and deallocate are not needed.',
  },
  {
    statement: /^copy .*\b(?:from stdin|to stdout)\b/,
    why: "its data would have to come over the engine's own connection, beside the SQL",
    next: 'Bring rows in with an acquisition, or use insert … values / insert … select.',
  },
  {
    // Of a query, or of a table, perhaps with its columns; "copy … from" may have a `to ''` in its conditions.
    statement: /^copy (?:binary )?(?:\( .* \)|[^ ]+(?: \. [^ ]+)*(?: \( [^)]* \))?) to (?:program )?''/,
    named: 'copy … to',
    why: 'no roll back takes back the file that it writes, or what its program does, and another attempt does it again',
    next: `${TASK_OUTPUT} Or put it under before: or after:, whose steps do it at least once, and write the file anew.`,
    repeatable: true,
  },
  {
    statement: /^(?:vacuum|(?:create|drop) (?:database|tablespace)|alter system|alter database \S+ set tablespace)\b/,
    why: 'PostgreSQL cannot run it inside a transaction',
    next: OWN_CONNECTION,
  },
  {
    statement:
      /^(?:create (?:unique )?index concurrently|drop index concurrently|reindex .*\bconcurrently|alter table .* detach partition .*\bconcurrently)\b/,
    why: 'PostgreSQL cannot run it inside a transaction, because of "concurrently"',
    next: `Leave "concurrently" out if the lock is acceptable. Otherwise: ${OWN_CONNECTION.toLowerCase()}`,
  },
  {
    statement: /^(?:reindex (?:\( .*?\) )?(?:system|database|schema)\b|cluster(?: verbose| \( [^)]*\))?$)/,
    why: 'over many tables PostgreSQL cannot run it inside a transaction',
    next: 'Name one table.',
  },
];
