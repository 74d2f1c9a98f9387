import { dependenciesOf } from './dependencies.ts';
import type { Dependency } from './dependencies.ts';
import { problemIn } from './parsed-load.ts';
import type { ParsedLoad } from './parsed-load.ts';
import type { Problem } from './problem.ts';
import type { ProjectLoads } from './project-loads.ts';

/** Loads that wait for each other in a circle. Each circle is reported once, at the entry of its first load that closes it. */
export function checkCycles(project: ProjectLoads): Problem[] {
  const problems: Problem[] = [];
  const done = new Set<string>();

  const visit = (load: ParsedLoad, trail: { load: ParsedLoad; dependency: Dependency }[]): void => {
    const name = load.definition.name;
    const start = trail.findIndex((step) => step.load.definition.name === name);
    if (start >= 0) {
      problems.push(describeCycle(trail.slice(start)));
      return;
    }
    if (done.has(name)) return;
    for (const dependency of dependenciesOf(load, project)) {
      const next = project.byName.get(dependency.on);
      if (next !== undefined) visit(next, [...trail, { load, dependency }]);
    }
    done.add(name);
  };
  project.loads.forEach((load) => visit(load, []));
  return problems;
}

function describeCycle(cycle: { load: ParsedLoad; dependency: Dependency }[]): Problem {
  const [first] = cycle;
  if (first === undefined) throw new Error('a cycle has at least one load');
  const names = [...cycle.map(({ load }) => load.definition.name), first.load.definition.name];
  const why = cycle
    .map(({ load, dependency }) => `\`${load.definition.name}\` through ${dependency.through}`)
    .join(', ');
  const message = `these loads wait for each other: ${names.join(' → ')}`;
  return problemIn(first.load.yaml, first.dependency.at, message, `Cut one of these ties: ${why}.`);
}
