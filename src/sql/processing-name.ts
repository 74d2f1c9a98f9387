/** `acq.flight` → `acq.flight_processing`: what a landing table is called while a batch reads it. Quoted names keep their quotes. */
export function processingName(table: string): string {
  return table.endsWith('"') ? `${table.slice(0, -1)}_processing"` : `${table}_processing`;
}
