import { sleep } from '@temporalio/workflow';

const SHORTEST_MS = 500;
const LONGEST_MS = 15_000;

/** Waits before the n-th (0-based) look at something that somebody else has to end: seldom enough to keep the history short. */
export const waitBeforeLook = (n: number): Promise<void> => sleep(Math.min(LONGEST_MS, SHORTEST_MS * 2 ** n));
