/** The workflow types of a Waybill worker: what Temporal's bundler takes in. */
export { load } from './load.ts';
export { session } from './session.ts';
