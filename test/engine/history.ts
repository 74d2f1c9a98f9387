/** What Temporal keeps of a load's workflow. */
import type { World } from './world.ts';

type History = Awaited<ReturnType<ReturnType<World['client']['workflow']['getHandle']>['fetchHistory']>>;
type Event = NonNullable<History['events']>[number];

export async function historyOf(world: World, load: string): Promise<Event[]> {
  return (await world.client.workflow.getHandle(`load/${load}`).fetchHistory()).events ?? [];
}

/** Every text in it, those within payloads too. */
export const textsIn = (events: Event[]): string => [...texts(events)].join('\n');

function* texts(value: unknown): Generator<string> {
  if (typeof value === 'string') yield value;
  else if (value instanceof Uint8Array) yield Buffer.from(value).toString();
  else if (typeof value === 'object' && value !== null) for (const part of Object.values(value)) yield* texts(part);
}

/** Which attempt each activity of this type was done in. */
export function attemptsAt(events: Event[], activity: string): (number | null | undefined)[] {
  const scheduled = events.filter(
    ({ activityTaskScheduledEventAttributes: at }) => at?.activityType?.name === activity,
  );
  const ids = new Set(scheduled.map(({ eventId }) => String(eventId)));
  return events
    .map((event) => event.activityTaskStartedEventAttributes)
    .filter((started) => started && ids.has(String(started.scheduledEventId)))
    .map((started) => started!.attempt);
}
