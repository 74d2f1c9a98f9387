/** What to do instead of a statement that more than one dialect refuses: `Refusal.next`. */
export const ONE_TRANSACTION =
  'Leave it out: the engine opens, fences and commits the transaction together with its ledger.';
export const OWN_CONNECTION = 'Run it outside of Waybill, on a connection of its own.';
