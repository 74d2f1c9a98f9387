/** All activities of a worker, made from one engine. The workflow sees only the types. */
import type { Engine } from './engine.ts';
import { awaitLoad } from './await-load.ts';
import { describeBatch } from './describe-batch.ts';
import { dropSnapshot } from './drop-snapshot.ts';
import { fenceBatch } from './fence-batch.ts';
import { closeWindow, openWindow } from './session-window.ts';
import { openBatch } from './open-batch.ts';
import { planSession } from './plan-session.ts';
import { planStage } from './plan-stage.ts';
import { publish } from './publish.ts';
import { rollBack } from './roll-back.ts';
import { runChecks } from './run-checks.ts';
import { runLane } from './run-lane.ts';
import { runSteps } from './run-steps.ts';
import { settleSource } from './settle-source.ts';
import { steerLanes } from './steer-lanes.ts';
import { writeOutput } from './write-output.ts';
import { tellingLedger } from './tell-ledger.ts';
import { takeSnapshot } from './take-snapshot.ts';

export function createActivities(engine: Engine) {
  return {
    openBatch: openBatch(engine),
    describeBatch: describeBatch(engine),
    runSteps: runSteps(engine),
    takeSnapshot: tellingLedger(engine, 'takeSnapshot', takeSnapshot(engine)),
    settleSource: tellingLedger(engine, 'settleSource', settleSource(engine)),
    planStage: tellingLedger(engine, 'planStage', planStage(engine)),
    runLane: tellingLedger(engine, 'runLane', runLane(engine)),
    steerLanes: steerLanes(engine),
    runChecks: tellingLedger(engine, 'runChecks', runChecks(engine)),
    writeOutput: tellingLedger(engine, 'writeOutput', writeOutput(engine)),
    publish: tellingLedger(engine, 'publish', publish(engine)),
    dropSnapshot: tellingLedger(engine, 'dropSnapshot', dropSnapshot(engine)),
    fenceBatch: fenceBatch(engine),
    rollBack: tellingLedger(engine, 'rollBack', rollBack(engine)),
    planSession: planSession(engine),
    openWindow: openWindow(engine),
    closeWindow: closeWindow(engine),
    awaitLoad: awaitLoad(engine),
  };
}

/** What the workflows call. */
export type Activities = ReturnType<typeof createActivities>;
