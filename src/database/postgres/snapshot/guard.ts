import { escapeIdentifier, escapeLiteral } from 'pg';
import type { TableName } from './table-name.ts';

/** The trigger on every snapshot; `refuse/kind.ts` knows a snapshot by it. */
const GUARD_TRIGGER = 'waybill_refuse_write';

/** The function that the trigger calls; it belongs to the migrations of the control schema. */
export const snapshotGuardFunctionSql = (controlSchema: string) => `
create or replace function ${escapeIdentifier(controlSchema)}.refuse_snapshot_write() returns trigger
language plpgsql as $function$
begin
  raise exception '% of %.% is refused: it is the snapshot of %, which a batch of Waybill reads',
    lower(tg_op), tg_table_schema, tg_table_name, tg_argv[0]
    using errcode = 'object_not_in_prerequisite_state',
      hint = format('Write to %s. The snapshot goes when its batch is published: see waybill status.', tg_argv[0]);
end
$function$`;

/** Statements that make the snapshot read-only; ALWAYS: in sessions that replay a replication stream too. */
export function guardStatements(snapshot: TableName, original: string, controlSchema: string): string[] {
  const target = `${escapeIdentifier(snapshot.schema)}.${escapeIdentifier(snapshot.name)}`;
  return [
    `create or replace trigger ${GUARD_TRIGGER} before insert or update or delete or truncate on ${target}
for each statement execute function ${escapeIdentifier(controlSchema)}.refuse_snapshot_write(${escapeLiteral(original)})`,
    `alter table ${target} enable always trigger ${GUARD_TRIGGER}`,
  ];
}
