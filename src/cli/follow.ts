import { setTimeout as sleep } from 'node:timers/promises';
import type { RunFollower } from '../client/follow-run.ts';
import type { RunEnd } from '../client/run-end.ts';
import { LoadFailedError } from '../errors.ts';
import type { Cli } from './cli.ts';
import { ProgressBars } from './progress-bars.ts';
import { ProgressLines } from './progress-lines.ts';

/** How often a terminal is redrawn, and how often a log looks: each look is a query or two on the warehouse. */
const LOOK_EVERY_MS = { terminal: 400, log: 1_000 };
/** After the first Ctrl-C, how long the second one may take. */
const SECOND_CTRL_C_MS = 3_000;
/** So long nothing moved, and then it is asked whether a worker is there at all. */
const STILL_MS = 5_000;

export interface FollowOptions {
  /**
   * What the first Ctrl-C does: leave the run alone (and the second one cancels it), cancel it (its worker ends with us, and so do we where
   * the terminal goes), or just leave.
   */
  interrupt: 'detach' | 'cancel' | 'leave';
  cancel?: () => Promise<unknown>;
  /** Ctrl-C was pressed before there was anything to follow: the first one is done at once. */
  pressed?: boolean;
}

/** How a person leaves a run that has not ended: as it is, or after it was asked to end. */
export type Left = 'detached' | 'cancelling';

/** Shows a run's progress until it has ended, or the person who watches it leaves. */
export async function follow(cli: Cli, follower: RunFollower, options: FollowOptions): Promise<RunEnd | Left> {
  const { stderr } = cli.io;
  const terminal = stderr.isTTY === true && cli.io.env['TERM'] !== 'dumb';
  const display = terminal ? new ProgressBars(stderr) : new ProgressLines(stderr);
  const leaving = interrupts(cli, follower, options, (text) => display.message(text));
  const watch = stillness(follower, (text) => display.message(text));
  const ended = Promise.race([follower.result(), leaving.left]);
  ended.catch(() => undefined); // awaited below
  try {
    for (;;) {
      // Who leaves does not wait for the answer of a database that is silent.
      const looks = await Promise.race([ended.then(() => undefined), follower.look()]);
      if (looks === undefined) break;
      display.show(looks);
      void watch(looks);
      await Promise.race([ended, sleep(LOOK_EVERY_MS[terminal ? 'terminal' : 'log'])]);
    }
    const end = await ended;
    if (typeof end !== 'string') display.show(await follower.lastLook(end));
    return end;
  } finally {
    display.stop();
    leaving.stop();
  }
}

/**
 * Ctrl-C: the first detaches (after a moment in which a second one cancels), the second cancels, the third leaves. A cancel that does
 * not come through ends the following with its error, for nobody knows whether the run ends; unless that has just ended by itself.
 */
function interrupts(cli: Cli, follower: RunFollower, options: FollowOptions, say: (text: string) => void) {
  const { name } = follower.named;
  let leave: (value: Left) => void = () => undefined;
  let fail: (error: unknown) => void = () => undefined;
  const left = new Promise<Left>((resolve, reject) => {
    leave = resolve;
    fail = reject;
  });
  let presses = { detach: 0, cancel: 1, leave: 2 }[options.interrupt];
  let timer: NodeJS.Timeout | undefined;
  let asked: Promise<unknown> = Promise.resolve();
  const press = (): void => {
    presses += 1;
    clearTimeout(timer);
    if (presses === 1) {
      say(`${name} goes on without you. Ctrl-C again cancels it; later: waybill cancel ${name}`);
      timer = setTimeout(() => leave('detached'), SECOND_CTRL_C_MS);
    } else if (presses === 2) {
      say(`Cancelling ${name}: it is rolled back first …`);
      asked = (options.cancel?.() ?? Promise.resolve()).catch((error: unknown) => {
        if (error instanceof LoadFailedError) return; // it does not run any more: its end is on the way
        say(`${name} was not cancelled, and goes on. Later: waybill cancel ${name}`);
        fail(error);
      });
    } else if (presses === 3)
      void asked.then(() => leave('cancelling')); // leaving closes the connection that asks
    else leave('cancelling');
  };
  const off = cli.io.onInterrupt(press, options.interrupt === 'cancel');
  if (options.pressed === true) press();
  return {
    left,
    stop: () => {
      clearTimeout(timer);
      off();
    },
  };
}

/** Says once when nothing has moved for a while and no worker is there. */
function stillness(follower: RunFollower, say: (text: string) => void): (looks: unknown) => Promise<void> {
  let before = '';
  let since = Date.now();
  let said = false;
  return async (looks) => {
    const now = JSON.stringify(looks);
    if (now !== before) {
      before = now;
      since = Date.now();
      if (said) say('It goes on.');
      said = false;
    } else if (!said && Date.now() - since > STILL_MS) {
      since = Date.now();
      const trouble = await follower.trouble();
      said = trouble !== undefined;
      if (trouble !== undefined) say(trouble);
    }
  };
}
