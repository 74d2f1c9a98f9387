/** What the seed documents' tool does: renames the landing table, makes another of its name; then it was switched off. */
export const CUT_OVER = `
  alter table acq.orders rename to orders_processing;
  create table acq.orders (like acq.orders_processing including all);`;
