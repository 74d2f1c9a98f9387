import { nearest } from '../sql/names.ts';
import { didYouMean, problemIn } from './parsed-load.ts';
import type { ParsedLoad } from './parsed-load.ts';
import type { Problem } from './problem.ts';
import type { ProjectLoads } from './project-loads.ts';

/** Names of other loads: `needs`, `consumes`, `renamed_from`; and names that a list of one load gives twice. */
export function checkNames(load: ParsedLoad, project: ProjectLoads): Problem[] {
  return [
    ...otherLoads(load, 'needs', project),
    ...otherLoads(load, 'consumes', project),
    ...consumedConnections(load, project),
    ...renamed(load, project),
    ...repeated(load),
  ];
}

function otherLoads({ definition, yaml }: ParsedLoad, key: 'needs' | 'consumes', project: ProjectLoads): Problem[] {
  return definition[key].flatMap((name, index) => {
    const at = [key, index];
    if (name === definition.name)
      return [problemIn(yaml, at, `\`${name}\` names itself in \`${key}\``, 'Leave it out.')];
    if (project.names.has(name)) return [];
    const close = nearest(
      name,
      [...project.names].filter((known) => known !== definition.name),
    );
    return [
      problemIn(yaml, at, `unknown load \`${name}\`${didYouMean(close)}`, 'A load is named by its file under loads/.'),
    ];
  });
}

function consumedConnections({ definition, yaml }: ParsedLoad, project: ProjectLoads): Problem[] {
  return definition.consumes.flatMap((name, index) => {
    const producer = project.byName.get(name)?.definition;
    if (producer === undefined || producer.connection === definition.connection) return [];
    const message = `\`${name}\` writes to the connection \`${producer.connection}\`, and this load is on \`${definition.connection}\``;
    return [problemIn(yaml, ['consumes', index], message, 'Bring the rows over with an acquisition.')];
  });
}

function renamed({ definition, yaml }: ParsedLoad, project: ProjectLoads): Problem[] {
  const old = definition.renamedFrom;
  if (old === undefined) return [];
  if (project.names.has(old)) {
    const message = `\`renamed_from: ${old}\`, but the load \`${old}\` is still there`;
    return [
      problemIn(yaml, ['renamed_from'], message, `Remove the file of \`${old}\`, or leave \`renamed_from\` out.`),
    ];
  }
  const other = project.loads.find(({ definition: o }) => o.renamedFrom === old && o.name !== definition.name);
  if (other === undefined) return [];
  return [problemIn(yaml, ['renamed_from'], `\`${other.definition.name}\` says \`renamed_from: ${old}\` too`)];
}

function repeated({ definition, yaml }: ParsedLoad): Problem[] {
  const lists: [string, string[]][] = [
    ['needs', definition.needs],
    ['consumes', definition.consumes],
    ['inputs', definition.inputs.map(({ table }) => table)],
    ['reads', definition.reads],
    ...(definition.kind === 'acquisition'
      ? []
      : [['outputs', definition.outputs.map(({ table }) => table)] as [string, string[]]]),
    ['stages', definition.stages.map(({ name }) => name)],
    ['checks', definition.checks.map(({ name }) => name)],
  ];
  return lists.flatMap(([key, names]) =>
    names.flatMap((name, index) => {
      if (names.indexOf(name) === index) return [];
      const at = key === 'stages' || key === 'checks' ? [key, index, 'name'] : [key, index];
      return [problemIn(yaml, at, `\`${name}\` stands twice in \`${key}\``)];
    }),
  );
}
