/** The signals, updates and queries of the workflows. Client and tests import it without the sandbox. */
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { LoadProgress, SessionProgress, SteerBy, SteerResult } from './messages.ts';

export const cancelSignal = defineSignal<[SteerBy?]>('cancel');
export const forceReloadSignal = defineSignal<[SteerBy?]>('forceReload');
export const pauseSignal = defineSignal('pause');
export const resumeSignal = defineSignal('resume');
export const setLanesSignal = defineSignal<[number]>('setLanes');

export const cancelUpdate = defineUpdate<SteerResult, [SteerBy]>('cancel');
export const forceReloadUpdate = defineUpdate<SteerResult, [SteerBy]>('forceReload');
export const pauseUpdate = defineUpdate<SteerResult>('pause');
export const resumeUpdate = defineUpdate<SteerResult>('resume');
export const setLanesUpdate = defineUpdate<SteerResult, [number]>('setLanes');

export const progressQuery = defineQuery<LoadProgress>('progress');
export const sessionProgressQuery = defineQuery<SessionProgress>('progress');
