import { defaultPayloadConverter } from '@temporalio/common';
import type {
  WorkflowInboundCallsInterceptor,
  WorkflowInterceptors,
  WorkflowOutboundCallsInterceptor,
} from '@temporalio/workflow';
import { PROJECT_HEADER, projectIn } from './messages.ts';

/**
 * Says with everything that a workflow sets going for which project it is: activities are told in a header, children and runs that
 * continue in their input. Two projects may share a task queue by mistake, and then a worker of the one must not do the other's work in its
 * own databases. A workflow that somebody starts by hand need not say it: it belongs to the project of the worker that answers first.
 *
 * Around the workflows and not in them, so that no call can forget it. Temporal compares no headers when it replays.
 */
export function interceptors(): WorkflowInterceptors {
  const mine = new ProjectOfWorkflow();
  return { inbound: [mine], outbound: [mine] };
}

class ProjectOfWorkflow implements WorkflowInboundCallsInterceptor, WorkflowOutboundCallsInterceptor {
  private project: string | undefined;

  // No method is async: a promise more would change the order of what happens, and histories would not replay.

  execute: NonNullable<WorkflowInboundCallsInterceptor['execute']> = (input, next) => {
    this.project = projectIn(input.args[0]);
    return next(input);
  };

  scheduleActivity: NonNullable<WorkflowOutboundCallsInterceptor['scheduleActivity']> = (input, next) => {
    if (this.project !== undefined) {
      const header = { [PROJECT_HEADER]: defaultPayloadConverter.toPayload(this.project) };
      return next({ ...input, headers: { ...input.headers, ...header } });
    }
    const answer = next(input);
    answer.then(
      (value) => (this.project ??= projectIn(value)),
      () => undefined, // whoever asked hears of it
    );
    return answer;
  };

  startChildWorkflowExecution: NonNullable<WorkflowOutboundCallsInterceptor['startChildWorkflowExecution']> = (
    input,
    next,
  ) => next({ ...input, options: { ...input.options, args: this.named(input.options.args ?? []) } });

  continueAsNew: NonNullable<WorkflowOutboundCallsInterceptor['continueAsNew']> = (input, next) =>
    next({ ...input, args: this.named(input.args) });

  /** The arguments of `load` or `session`, with the project in their one input. */
  private named([input]: readonly unknown[]): unknown[] {
    return [this.project === undefined ? input : { ...(input as object), project: this.project }];
  }
}
