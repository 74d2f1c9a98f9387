import type { WorkflowHandle } from '@temporalio/client';

type HistoryEvent = NonNullable<Awaited<ReturnType<WorkflowHandle['fetchHistory']>>['events']>[number];

/** When the activities of one load were scheduled and completed, by Temporal's clock: what a person sees in its UI. */
export class Timeline {
  private constructor(
    private readonly startedAt: number,
    private readonly scheduledAt: Map<string, number>,
    private readonly completedAt: Map<string, number>,
  ) {}

  static async of(handle: WorkflowHandle): Promise<Timeline> {
    const events = (await handle.fetchHistory()).events ?? [];
    const scheduled = new Map<string, number>();
    const completed = new Map<string, number>();
    const types = new Map<string, string>();
    for (const event of events) {
      const { activityTaskScheduledEventAttributes: begin, activityTaskCompletedEventAttributes: end } = event;
      if (begin) {
        const type = begin.activityType!.name!;
        types.set(String(event.eventId), type);
        if (!scheduled.has(type)) scheduled.set(type, timeOf(event));
      }
      if (end) completed.set(types.get(String(end.scheduledEventId))!, timeOf(event));
    }
    return new Timeline(timeOf(events[0]!), scheduled, completed);
  }

  /** Seconds from the start of the workflow, or from the first activity of one kind, to the last completion of another. */
  seconds(from: string, to: string): number {
    const start = from === 'start' ? this.startedAt : this.scheduledAt.get(from);
    const end = this.completedAt.get(to);
    if (start === undefined || end === undefined) throw new Error(`the history holds no ${from} or no ${to}`);
    return (end - start) / 1000;
  }
}

/** Milliseconds since 1970. */
function timeOf({ eventTime }: HistoryEvent): number {
  return Number(eventTime!.seconds) * 1000 + (eventTime!.nanos ?? 0) / 1e6;
}
