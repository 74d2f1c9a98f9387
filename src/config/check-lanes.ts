import { problemIn } from './parsed-load.ts';
import type { ParsedLoad } from './parsed-load.ts';
import type { Problem } from './problem.ts';
import type { ProjectLoads } from './project-loads.ts';
import type { ValuePath, YamlFile } from './yaml-file.ts';

/** Connections that a worker keeps for control (heartbeats, the fence), beside those of the lanes. */
export const CONTROL_CONNECTIONS = 2;

/**
 * Lanes fit into `max_connections`, less those for control, of the load's connection and of an acquisition's source: one too many would
 * hold a place where it writes, and wait for another lane to let go of the source.
 */
export function checkLanes(load: ParsedLoad, project: ProjectLoads): Problem[] {
  const { definition, yaml } = load;
  const names = new Set([definition.connection, ...(definition.from ? [definition.from.connection] : [])]);
  const wishes: LaneWish[] = [loadWish(load, project)];
  for (const { lanes, index } of load.stages) {
    if (lanes !== undefined) wishes.push({ lanes, yaml, at: ['stages', index, 'lanes'] });
  }
  return [...names].flatMap((name) => {
    const all = project.settings.connections[name]?.maxConnections ?? Infinity;
    return wishes.filter(({ lanes }) => lanes > all - CONTROL_CONNECTIONS).map((wish) => tooMany(wish, name, all));
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

function tooMany({ lanes, yaml, at }: LaneWish, connection: string, all: number): Problem {
  const message = `${lanes} lanes need more connections than \`${connection}\` has (${all}, of which ${CONTROL_CONNECTIONS} are kept for control)`;
  const next = `Use at most ${all - CONTROL_CONNECTIONS} lanes, or raise \`connections.${connection}.max_connections\` in waybill.yaml.`;
  return problemIn(yaml, at, message, next);
}
