import { nearest } from '../sql/names.ts';
import type { SessionDefinition } from './definition.ts';
import { dependenciesOf } from './dependencies.ts';
import { keepsItsWork } from './keeps-its-work.ts';
import { didYouMean, problemIn } from './parsed-load.ts';
import type { Problem } from './problem.ts';
import type { ProjectLoads } from './project-loads.ts';

/** Whether a load's name fits a pattern, in which `*` stands for any characters, dots too. */
export function matchesPattern(name: string, pattern: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(name);
}

/** Expands the sessions of waybill.yaml. Call it only when there are no cycles. */
export function defineSessions(project: ProjectLoads, problems: Problem[]): Record<string, SessionDefinition> {
  const { settings } = project;
  const sessions: Record<string, SessionDefinition> = {};
  for (const [name, session] of Object.entries(settings.sessions)) {
    const patterns = session.loads;
    const at = ['sessions', name];
    if (project.names.has(name)) {
      const message = `the session \`${name}\` has the name of a load: \`run ${name}\` could mean both`;
      problems.push(problemIn(settings.yaml, at, message, 'Give the session another name.', true));
    }
    patterns.forEach((pattern, index) => {
      if ([...project.names].some((load) => matchesPattern(load, pattern))) return;
      const close = nearest(pattern, patternsFor(pattern, project.names));
      problems.push(
        problemIn(settings.yaml, [...at, 'loads', index], `no load is named \`${pattern}\`${didYouMean(close)}`),
      );
    });
    const ordered = orderSession(patterns, project);
    const order = session.sequential ? inTurn(name, ordered, project, problems) : ordered;
    const { loads, dependencies } = order;
    const sharesWindow = session.sharesWindow || buildsOnTasks(order, project);
    sessions[name] = {
      ...session,
      name,
      loads,
      dependencies,
      sharesWindow,
      ledgers: ledgersOf(patterns, loads, project),
    };
  }
  return sessions;
}

/** What a pattern may have meant: load names, or those names with the same `*` for their last part. */
function patternsFor(pattern: string, names: ReadonlySet<string>): string[] {
  if (!pattern.includes('*')) return [...names];
  return [...new Set([...names].map((name) => name.replace(/[^.]*$/, '*')))];
}

/** Loads that the patterns mean, disabled ones left out, in the order in which they are written. */
export function membersOf(patterns: string[], project: ProjectLoads): string[] {
  const enabled = project.loads.filter(({ definition }) => definition.enabled).map(({ definition }) => definition.name);
  return [...new Set(patterns.flatMap((pattern) => enabled.filter((load) => matchesPattern(load, pattern))))];
}

function ledgersOf(patterns: string[], loads: string[], { loads: all }: ProjectLoads): string[] {
  const meant = all.map(({ definition }) => definition);
  const first = meant.filter(({ name }) => name === loads[0]);
  const others = patterns.flatMap((pattern) => meant.filter(({ name }) => matchesPattern(name, pattern)));
  return [...new Set([...first, ...others].map(({ connection }) => connection))];
}

type Order = Pick<SessionDefinition, 'loads' | 'dependencies'> & { written: string[] };

/** Loads in the order of the patterns, as far as their dependencies let them. */
function orderSession(patterns: string[], project: ProjectLoads): Order {
  const written = membersOf(patterns, project);
  const members = new Set(written);
  const dependencies: Record<string, string[]> = {};
  for (const member of members) {
    dependencies[member] = [...nearestBefore(member, members, project)].sort();
  }
  const loads = new Set<string>();
  const add = (member: string): void => {
    if (loads.has(member)) return;
    dependencies[member]?.forEach(add);
    loads.add(member);
  };
  members.forEach(add);
  return { loads: [...loads], dependencies, written };
}

/** Members that a load has to wait for: through loads that are disabled, or of another session, those behind them. */
function nearestBefore(name: string, members: ReadonlySet<string>, project: ProjectLoads): Set<string> {
  const found = new Set<string>();
  const passed = new Set<string>();
  const pass = (load: string): void => {
    if (passed.has(load)) return;
    passed.add(load);
    for (const on of directlyBefore(load, project)) {
      if (members.has(on)) found.add(on);
      else pass(on);
    }
  };
  pass(name);
  return found;
}

function directlyBefore(name: string, project: ProjectLoads): string[] {
  const load = project.byName.get(name);
  return load === undefined ? [] : dependenciesOf(load, project).map(({ on }) => on);
}

/**
 * Each load waits for the one before. An order that tables or `needs` forbid is refused rather than changed; one that is against what
 * they say through a load that is left out goes by the list, with a warning.
 */
function inTurn(
  session: string,
  { written, dependencies }: Order,
  project: ProjectLoads,
  problems: Problem[],
): Pick<SessionDefinition, 'loads' | 'dependencies'> {
  for (const [index, load] of written.entries()) {
    const at = ['sessions', session, 'loads'];
    const before = directlyBefore(load, project);
    const late = before.find((on) => written.indexOf(on) > index);
    if (late !== undefined) {
      const message = `\`${load}\` stands before \`${late}\`, for which it has to wait`;
      const next = 'List it after that one: the session is sequential.';
      problems.push(problemIn(project.settings.yaml, at, message, next));
      continue;
    }
    const behind = dependencies[load]?.find((on) => written.indexOf(on) > index);
    if (behind === undefined) continue;
    const leftOut = before.filter((on) => !written.includes(on));
    const through = leftOut.find((on) => nearestBefore(on, new Set([behind]), project).size > 0);
    const message =
      `\`${load}\` stands before \`${behind}\`, for which it would wait by way of \`${through}\`; ` +
      `this session leaves that out, and goes by its list`;
    const next = `List \`${load}\` after \`${behind}\`, unless you mean this order.`;
    problems.push({ ...problemIn(project.settings.yaml, at, message, next), severity: 'warn' });
  }
  const turns = written.map((load, index) => [load, index === 0 ? [] : [written[index - 1]!]] as const);
  return { loads: written, dependencies: Object.fromEntries(turns) };
}

/**
 * Some task goes on with what it has left, when it broke off, and others were done before it: done anew by the next run (a
 * `truncate`, say), they would undo what it takes for done. In a shared window they are not.
 */
function buildsOnTasks(
  { loads, dependencies }: Pick<SessionDefinition, 'loads' | 'dependencies'>,
  project: ProjectLoads,
): boolean {
  const definitionOf = (name: string) => project.byName.get(name)!.definition;
  // In dependency order: what is before a load is known when the load comes.
  const behindTask = new Set<string>();
  for (const name of loads) {
    const needs = dependencies[name] ?? [];
    if (needs.some((on) => definitionOf(on).kind === 'task' || behindTask.has(on))) behindTask.add(name);
  }
  return loads.some((name) => behindTask.has(name) && keepsItsWork(definitionOf(name)));
}
