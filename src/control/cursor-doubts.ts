/** What would let a cursor pass over rows without a word: refused before a window is set. */
import type { AcquisitionSource, LoadDefinition } from '../config/definition.ts';
import type { Numbering } from '../database/cursor-dialect.ts';
import type { Dialect, Session } from '../database/dialect.ts';
import { ConfigurationError, LoadFailedError } from '../errors.ts';
import { lagOf, sourceRows, type Cursor } from './source.ts';

interface Doubt {
  load: LoadDefinition;
  source: AcquisitionSource;
  cursor: Cursor;
  /** Which batch has read this value of the cursor already, and how far all that was read reaches. */
  readAlready: (value: string) => Promise<{ batchId: string; upTo: string } | undefined>;
}

/** Asks the source whether rows to come will lie where windows to come look for them. */
export async function refuseDoubtfulCursor(session: Session, dialect: Dialect, doubt: Doubt): Promise<void> {
  const elsewhere = await writtenElsewhere(session, dialect, doubt);
  if (elsewhere) refuseUnseen(doubt, elsewhere);
  if (doubt.cursor.kind === 'number') await refuseNumbering(session, dialect, doubt);
  else await refuseClock(session, dialect, doubt);
}

interface Elsewhere {
  /** What it is, in words. */
  is: string;
  /** Where its rows are written, and what brings them from there. */
  origin: string;
  way: string;
}

async function writtenElsewhere(session: Session, dialect: Dialect, { source }: Doubt): Promise<Elsewhere | undefined> {
  if (await dialect.isStandby(session))
    return { is: `${source.connection} is a standby`, origin: 'primary', way: 'standby' };
  const fed = await dialect.subscribed(session, sourceRows(source, dialect.sql));
  return (
    fed && {
      is: `${fed.table} on ${source.connection} is filled by subscription ${fed.subscription}`,
      origin: 'publisher',
      way: 'subscription',
    }
  );
}

/** Which transactions are open where its rows are written it does not know: only the lag stands between a window and late commits. */
function refuseUnseen({ load, source, cursor }: Doubt, { is, origin, way }: Elsewhere): void {
  if (cursor.kind === 'time' && lagOf(source) > 0) return;
  const why = cursor.kind === 'time' ? 'and there is no lag' : 'and a cursor of numbers has no lag';
  throw new ConfigurationError(`${is}: transactions that are open on its ${origin} cannot be waited for, ${why}`, {
    where: load.file,
    next:
      `connect to the ${origin}; or use a time column as cursor, with a lag longer than the longest transaction ` +
      `and the delay of the ${way} together`,
  });
}

async function refuseNumbering(session: Session, dialect: Dialect, doubt: Doubt): Promise<void> {
  const rows = sourceRows(doubt.source, dialect.sql);
  for (const one of await dialect.numberingsOf(session, rows, doubt.cursor.column)) await refuseNumbers(one, doubt);
}

async function refuseNumbers(numbering: Numbering, { load, source, readAlready }: Doubt): Promise<void> {
  const { name, column, certain, ahead, step, last } = numbering;
  const perhaps = certain ? '' : ', of which the cursor may be made';
  const what = `${name}, which numbers ${column} on ${source.connection}${perhaps},`;
  if (ahead) {
    throw new ConfigurationError(
      `${what} has ${ahead.what}: a session keeps numbers for later, and rows with them would come behind what was read`,
      {
        where: load.file,
        next: `${ahead.stop}, and let the sessions that write end; or use a time column as cursor`,
      },
    );
  }
  if (BigInt(step) < 0n) {
    throw new ConfigurationError(`${what} counts down: new rows would come behind what was read`, {
      where: load.file,
      next: 'use a column that grows as cursor',
    });
  }
  // What another column has come to says nothing of the cursor.
  if (last === null || !certain) return;
  const next = String(BigInt(last) + BigInt(step));
  const read = await readAlready(next);
  if (!read) return;
  throw new LoadFailedError(
    `${what} gives out ${next} next, which batch ${read.batchId} has read, and all that was read reaches up to ${read.upTo}: ` +
      'rows with the numbers between would never be read (was the table emptied, and numbered anew?)',
    {
      where: load.file,
      next:
        `let it go on behind them (${numbering.restartWith(read.upTo)}), and give rows that have such numbers ` +
        'already new ones; or begin anew under another load name',
    },
  );
}

/** The clock was set back, or the time zone of the role changed: rows of now would lie in a window that was read. */
async function refuseClock(session: Session, dialect: Dialect, doubt: Doubt): Promise<void> {
  const { load, source, cursor, readAlready } = doubt;
  const now = { lagMs: 0, until: null };
  const clock = await dialect.windowEnd(session, sourceRows(source, dialect.sql), cursor.column, 'time', now);
  const read = clock === null ? undefined : await readAlready(clock);
  if (!read) return;
  throw new LoadFailedError(
    `it is ${clock} on ${source.connection}, which batch ${read.batchId} has read, and all that was read reaches up to ${read.upTo}: ` +
      'the clock, or the time zone of the role, was set back, and rows that are written now would never be read',
    {
      where: load.file,
      next:
        `start again when it is later than ${read.upTo}; what was written meanwhile lies in a window that has been read. ` +
        'A lag longer than such a step prevents this',
    },
  );
}
