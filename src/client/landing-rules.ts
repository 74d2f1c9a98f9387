/**
 * What a start makes of a landing table, for `plan` and `validate`, which must say what it would do. Apart from engine-rules.ts: whoever
 * validates needs nothing of Temporal's.
 */
/* eslint-disable @typescript-eslint/no-restricted-imports */
export { fittingColumns } from '../copy/landing-columns.ts';
export { planLanding } from '../copy/plan-landing.ts';
export type { LandingNote } from '../copy/plan-landing.ts';
