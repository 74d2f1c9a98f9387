/** `acq.flight` → `acq.flight_processing`: what a landing table is called while a batch reads it. Quoted names keep their quotes. */
export function processingName(table: string): string {
  const quote = /["`]$/.exec(table)?.[0] ?? ''; // a canonical name: only a quote can end in one
  return `${table.slice(0, table.length - quote.length)}_processing${quote}`;
}
