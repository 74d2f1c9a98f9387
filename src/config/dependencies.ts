import type { LoadDefinition } from './definition.ts';
import type { ParsedLoad } from './parsed-load.ts';
import type { ProjectLoads } from './project-loads.ts';
import type { ValuePath } from './yaml-file.ts';

/** That a load comes after another, and which entry of its file says so. */
export interface Dependency {
  on: string;
  at: ValuePath;
  /** `consumes`, `needs`, or the table between the two. */
  through: string;
}

/**
 * What a load waits for in a session: the acquisitions of its inputs, the loads that it consumes, those that write what it
 * reads, and its `needs`. Names that are no known load are left out.
 */
export function dependenciesOf({ definition }: ParsedLoad, project: ProjectLoads): Dependency[] {
  const { connection } = definition;
  const producer = (table: string): string | undefined => project.producerOf(connection, table)?.definition.name;
  const found: (Omit<Dependency, 'on'> & { on: string | undefined })[] = [
    ...definition.inputs.map(({ table }, index) => ({ on: producer(table), at: ['inputs', index], through: table })),
    ...definition.consumes.map((on, index) => ({ on, at: ['consumes', index], through: '`consumes`' })),
    ...definition.reads.map((table, index) => ({ on: producer(table), at: ['reads', index], through: table })),
    ...definition.needs.map((on, index) => ({ on, at: ['needs', index], through: '`needs`' })),
  ];
  return found.filter(
    (dependency): dependency is Dependency =>
      dependency.on !== undefined && dependency.on !== definition.name && project.byName.has(dependency.on),
  );
}

/** Table to load for every table that this load's braces may meet: outputs of the loads in `consumes`, `reads`, `inputs`. */
export function producersOf(definition: LoadDefinition, project: ProjectLoads): Record<string, string> {
  const producers: Record<string, string> = {};
  for (const table of [...definition.inputs.map((input) => input.table), ...definition.reads]) {
    const producer = project.producerOf(definition.connection, table);
    if (producer !== undefined) producers[table] = producer.definition.name;
  }
  for (const name of definition.consumes) {
    project.byName.get(name)?.definition.outputs.forEach(({ table }) => (producers[table] = name));
  }
  return producers;
}
