import { nearest } from '../sql/names.ts';
import type { SessionDefinition } from './definition.ts';
import { dependenciesOf } from './dependencies.ts';
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
  for (const [name, patterns] of Object.entries(settings.sessions)) {
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
    sessions[name] = orderSession(name, patterns, project);
  }
  return sessions;
}

/** What a pattern may have meant: load names, or those names with the same `*` for their last part. */
function patternsFor(pattern: string, names: ReadonlySet<string>): string[] {
  if (!pattern.includes('*')) return [...names];
  return [...new Set([...names].map((name) => name.replace(/[^.]*$/, '*')))];
}

/** Loads in the order of the patterns, as far as their dependencies let them. */
function orderSession(name: string, patterns: string[], project: ProjectLoads): SessionDefinition {
  const enabled = project.loads.filter(({ definition }) => definition.enabled).map(({ definition }) => definition.name);
  const members = new Set(patterns.flatMap((pattern) => enabled.filter((load) => matchesPattern(load, pattern))));
  const dependencies: Record<string, string[]> = {};
  for (const member of members) {
    const load = project.byName.get(member);
    const all = load === undefined ? [] : dependenciesOf(load, project).map(({ on }) => on);
    dependencies[member] = [...new Set(all)].filter((on) => members.has(on)).sort();
  }
  const loads = new Set<string>();
  const add = (member: string): void => {
    if (loads.has(member)) return;
    dependencies[member]?.forEach(add);
    loads.add(member);
  };
  members.forEach(add);
  return { name, loads: [...loads], dependencies };
}
