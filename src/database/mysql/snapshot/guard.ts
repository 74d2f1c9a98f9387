import { classify } from '../errors.ts';
import { quoteText } from '../names.ts';
import type { MysqlSession } from '../session.ts';
import { at, type Place } from './place.ts';
import { MAY_NOT } from './triggers.ts';

/** ER_TRG_ALREADY_EXISTS. */
const THERE_ALREADY = 1359;
const LONGEST_MESSAGE = 128;

/**
 * Triggers that refuse writes to a snapshot. An account that may make none (FACTS: with a binary log that takes more than
 * TRIGGER) goes without them: what empties a snapshot is noticed all the same, by `isStill`. False then.
 */
export async function guardSnapshot(session: MysqlSession, place: Place, relationId: string): Promise<boolean> {
  const whole = `a batch of Waybill reads ${place.processing}: it takes no writes. Write to ${place.name}`;
  const message = quoteText([...whole].slice(0, LONGEST_MESSAGE).join(''));
  for (const event of ['insert', 'update', 'delete']) {
    try {
      await session.say(
        `create trigger ${at(place, `waybill_${relationId}_${event}`)} before ${event} on ${at(place, place.processing)} ` +
          `for each row signal sqlstate '45000' set message_text = ${message}`,
      );
    } catch (error) {
      const errno = Number(classify(error).code);
      if (MAY_NOT.has(errno)) return false;
      if (errno !== THERE_ALREADY) throw error;
    }
  }
  return true;
}
