/** Of an error whose text may hold values of rows: only the ledger gets it. Ends "… whose" or "… its". */
export const TEXT_IN_LEDGER = 'text stands in the ledger';

/** A safe message where no ledger gets the text: as a rule, before a batch. */
export const withoutLedger = (safeMessage: string): string =>
  safeMessage.replace(TEXT_IN_LEDGER, 'text is not shown, as it may hold values of rows');

/** What to do about a message without the text; undefined: it is all there. */
export const howToRead = (safeMessage: string): string | undefined =>
  safeMessage.includes(TEXT_IN_LEDGER) ? 'run the SQL by hand to read the text' : undefined;
