import type { LoadPreview, StatementPreview } from '../client/preview-load.ts';
import { findLoad } from '../client/names.ts';
import type { Project } from '../config/definition.ts';
import { EXIT } from '../errors.ts';
import type { AddCommand } from './cli.ts';
import { formatCount, indent, plural } from './format.ts';

export const addPlan: AddCommand = (program, cli, done) => {
  program
    .command('plan')
    .description('what a start of a load would do now, with the SQL as it would be sent; nothing is touched')
    .argument('<load>', 'a load')
    .action(async (load: string) => {
      const check = (project: Project): unknown => findLoad(project, load);
      const preview = await cli.withWaybill((waybill) => waybill.plan(load), { check });
      cli.document(preview);
      cli.say(page(preview));
      done(EXIT.done);
    });
};

const VERDICTS: Record<LoadPreview['does'], string> = {
  'new batch': 'A start opens a new batch.',
  redo: 'A start does a failed batch again, as a new batch.',
  'goes on': 'A start goes on where a batch ended, as a new batch: what is done stays done.',
  nothing: 'A start has nothing to do, and opens no batch.',
  waits: 'A start waits.',
  refused: 'A start is refused.',
  running: 'A start is refused: the load is running.',
};

function page(plan: LoadPreview): string {
  const parts = [head(plan), ...plan.stages.map(stage)];
  if (plan.before.length > 0) parts.splice(1, 0, section('Before', plan.before));
  if (plan.checks.length > 0) parts.push(`Checks\n${plan.checks.map(check).join('\n')}`);
  if (plan.after.length > 0) parts.push(section('After, once it is published', plan.after));
  if (plan.on_error.length > 0) parts.push(section('When it has failed', plan.on_error));
  parts.push(`Locks\n${plan.locks.map((lock) => `  ${lock}`).join('\n')}`);
  return parts.join('\n\n');
}

const goesOn = ({ does }: LoadPreview): boolean => ['new batch', 'redo', 'goes on'].includes(does);

function head(plan: LoadPreview): string {
  const lines = [`${plan.load} (${plan.kind}, connection ${plan.connection})`];
  if (plan.description !== null) lines.push(`  ${indent(plan.description.trimEnd(), 2)}`);
  lines.push(`  ${VERDICTS[plan.does]}`);
  lines.push(...plan.because.map((sentence) => `  ${goesOn(plan) ? 'first' : 'why'}: ${sentence}`));
  if (plan.redoes !== null)
    lines.push(`  ${plan.does === 'goes on' ? 'goes on with' : 'redoes'}: batch ${plan.redoes}`);
  for (const { table, batch, rows } of plan.removes) {
    lines.push(`  removes: ${plural(rows, 'row')} of batch ${batch} from ${table}`);
  }
  for (const { table, taken } of goesOn(plan) ? plan.snapshot : []) {
    lines.push(`  snapshot: ${table}${taken === 'before' ? ', which is there already' : ''}`);
  }
  lines.push(...plan.landing.map((sentence) => `  ${sentence}`));
  lines.push(...plan.refusals.map((refusal) => `  refused: ${refusal}`));
  if (plan.window) {
    const { column, from, to } = plan.window;
    lines.push(
      `  ${plan.kind === 'task' ? 'range' : 'window'}: ${column === null ? '' : `${column} `}from ${from ?? 'the beginning'} up to, not with, ${to ?? 'the end'}`,
    );
  }
  for (const { load, batchId } of plan.consumes) lines.push(`  consumes: ${load} batch ${batchId}`);
  return lines.join('\n');
}

function stage({ name, lanes, chunks, cut, statements }: LoadPreview['stages'][number]): string {
  const size = `${plural(chunks, 'chunk')}, ${cut.replace(/\d{4,}/g, (digits) => formatCount(Number(digits)))}`;
  const title = `Stage ${name}: ${size}; ${plural(Math.min(lanes, Math.max(chunks, 1)), 'lane')}`;
  return statements.length === 0 ? title : section(title, statements);
}

const section = (title: string, statements: StatementPreview[]): string =>
  [title, ...statements.map(statement)].join('\n');

function check({ name, expect, severity, ...sql }: LoadPreview['checks'][number]): string {
  return `  "${name}" must find ${expect}${severity === 'warn' ? ', or warns' : ''}\n${statement(sql)}`;
}

function statement({ where, text, values }: StatementPreview): string {
  const bound = values.map((value, i) => `\n-- value ${i + 1}: ${value}`).join('');
  return `  -- ${where}\n  ${indent(text + bound, 2)}`;
}
