import { problemIn } from './parsed-load.ts';
import type { ParsedLoad } from './parsed-load.ts';
import type { Problem } from './problem.ts';
import type { ProjectLoads } from './project-loads.ts';
import type { ValuePath, YamlFile } from './yaml-file.ts';

/** Connections that a worker keeps for control (heartbeats, the fence), beside those of the lanes. */
export const CONTROL_CONNECTIONS = 2;

/** Lanes fit into `max_connections`: of the load's connection less those for control, and of an acquisition's source. */
export function checkLanes(load: ParsedLoad, project: ProjectLoads): Problem[] {
  const { definition, yaml } = load;
  const limits = [{ name: definition.connection, kept: CONTROL_CONNECTIONS }];
  if (definition.from && definition.from.connection !== definition.connection) {
    limits.push({ name: definition.from.connection, kept: 0 });
  }
  const wishes: LaneWish[] = [loadWish(load, project)];
  for (const { lanes, index } of load.stages) {
    if (lanes !== undefined) wishes.push({ lanes, yaml, at: ['stages', index, 'lanes'] });
  }
  return limits.flatMap(({ name, kept }) => {
    const all = project.settings.connections[name]?.maxConnections ?? Infinity;
    return wishes.filter(({ lanes }) => lanes > all - kept).map((wish) => tooMany(wish, name, all, kept));
  });
}

/** A number of lanes, and where it is written. */
interface LaneWish {
  lanes: number;
  yaml: YamlFile;
  at: ValuePath;
}

/** Written in the load, in the project's defaults, or nowhere: then the limit itself is what was written. */
function loadWish({ definition, yaml }: ParsedLoad, { settings }: ProjectLoads): LaneWish {
  const { lanes, connection } = definition;
  if (yaml.scalar(['lanes']) !== undefined) return { lanes, yaml, at: ['lanes'] };
  if (settings.yaml.scalar(['defaults', 'lanes']) !== undefined) {
    return { lanes, yaml: settings.yaml, at: ['defaults', 'lanes'] };
  }
  return { lanes, yaml: settings.yaml, at: ['connections', connection, 'max_connections'] };
}

function tooMany({ lanes, yaml, at }: LaneWish, connection: string, all: number, kept: number): Problem {
  const why = kept === 0 ? '' : `, of which ${kept} are kept for control`;
  const message = `${lanes} lanes need more connections than \`${connection}\` has (${all}${why})`;
  const next = `Use at most ${all - kept} lanes, or raise \`connections.${connection}.max_connections\` in waybill.yaml.`;
  return problemIn(yaml, at, message, next);
}
