import { nearest } from '../sql/names.ts';
import type { LoadDefinition } from './definition.ts';
import { dependenciesOf } from './dependencies.ts';
import { didYouMean, problemIn } from './parsed-load.ts';
import type { ParsedLoad } from './parsed-load.ts';
import type { Problem } from './problem.ts';
import { tableId } from './project-loads.ts';
import type { ProjectLoads } from './project-loads.ts';
import { membersOf } from './sessions.ts';

/** Who fills, empties and writes each table: one load each, and nothing both ways. */
export function checkTables(load: ParsedLoad, project: ProjectLoads): Problem[] {
  const { settings } = project;
  if (!settings.unknown && settings.connections[load.definition.connection] === undefined) return [];
  return [
    ...writtenTwice(load, project),
    ...emptiedTwice(load, project),
    ...inputsNobodyFills(load, project),
    ...consumedButEmptied(load, project),
    ...copiedButEmptied(load, project),
    ...readButEmptied(load, project),
    ...ownReads(load),
    ...ownSource(load, settings),
  ];
}

function writtenTwice({ definition, yaml }: ParsedLoad, project: ProjectLoads): Problem[] {
  const others = project.loads.map((load) => load.definition);
  const before = others.slice(0, others.indexOf(definition));
  return definition.outputs.flatMap(({ table }, index) => {
    const id = tableId(project.settings, definition.connection, table);
    const writes = ({ outputs, connection }: LoadDefinition): boolean =>
      outputs.some((output) => tableId(project.settings, connection, output.table) === id);
    const other = before.find((one) => writes(one) && !takeTurns(one, definition, project));
    if (other === undefined) return [];
    const at = definition.kind === 'acquisition' ? targetPath(yaml) : ['outputs', index];
    const message = `\`${table}\` is written by \`${other.name}\` too: one table belongs to one load`;
    return [problemIn(yaml, at, message, 'Give each load a table of its own.')];
  });
}

/** Tasks of one sequential session never write at the same time. */
function takeTurns(one: LoadDefinition, other: LoadDefinition, project: ProjectLoads): boolean {
  if (one.kind !== 'task' || other.kind !== 'task') return false;
  return Object.values(project.settings.sessions).some(({ loads, sequential }) => {
    const members = sequential ? membersOf(loads, project) : [];
    return members.includes(one.name) && members.includes(other.name);
  });
}

/** `to: acq.flight`, or `to: { table: acq.flight }`. */
export function targetPath(yaml: ParsedLoad['yaml']): string[] {
  return yaml.scalar(['to']) === undefined ? ['to', 'table'] : ['to'];
}

function emptiedTwice({ definition, yaml }: ParsedLoad, project: ProjectLoads): Problem[] {
  return definition.inputs.flatMap(({ table }, index) => {
    const first = emptierOf(definition.connection, table, project);
    if (first === undefined || first.definition.name === definition.name) return [];
    const message = `\`${table}\` is an input of \`${first.definition.name}\` too: two loads cannot empty one table`;
    const next = 'Let both take the batches of its acquisition with `consumes` instead.';
    return [problemIn(yaml, ['inputs', index], message, next)];
  });
}

function emptierOf(connection: string, table: string, project: ProjectLoads): ParsedLoad | undefined {
  const id = tableId(project.settings, connection, table);
  return project.loads.find(
    ({ definition }) =>
      definition.connection === connection &&
      definition.inputs.some((input) => tableId(project.settings, connection, input.table) === id),
  );
}

function inputsNobodyFills({ definition, yaml }: ParsedLoad, project: ProjectLoads): Problem[] {
  return definition.inputs.flatMap(({ table, external }, index) => {
    const at = ['inputs', index];
    const producer = project.producerOf(definition.connection, table)?.definition;
    if (producer?.kind === 'acquisition') {
      // Snapshot and acquisition keep clear of each other by the name, as it stands in both files.
      const filled = producer.outputs[0]!.table;
      const writes = ({ connection, outputs }: LoadDefinition): boolean =>
        connection === definition.connection && outputs.some((output) => output.table === table);
      if (project.loads.some((load) => writes(load.definition))) return []; // of two that write to it, writtenTwice tells
      const message = `\`${table}\` is \`${filled}\` in \`${producer.name}\`, which fills it`;
      return [problemIn(yaml, at, message, 'Write the name in one way in both.')];
    }
    if (producer !== undefined) {
      const who = producer.name === definition.name ? 'this load' : `\`${producer.name}\``;
      const message = `\`${table}\` is an output of ${who}: the rows of an output cannot be taken away as an input`;
      return [problemIn(yaml, at, message, `Take its batches with \`consumes: [${producer.name}]\`.`)];
    }
    if (external || project.incomplete) return [];
    const elsewhere = project.loads.find(({ definition: other }) => other.outputs.some((out) => out.table === table));
    if (elsewhere !== undefined) {
      const message = `\`${table}\` is written on the connection \`${elsewhere.definition.connection}\`, and this load is on \`${definition.connection}\``;
      return [problemIn(yaml, at, message)];
    }
    const targets = project.loads.flatMap(({ definition: other }) =>
      other.kind === 'acquisition' ? other.outputs : [],
    );
    const close = nearest(
      table,
      targets.map((target) => target.table),
    );
    const message = `no acquisition fills \`${table}\`${didYouMean(close)}`;
    return [problemIn(yaml, at, message, `If scripts fill it, write { table: ${table}, external: true }.`)];
  });
}

function consumedButEmptied({ definition, yaml }: ParsedLoad, project: ProjectLoads): Problem[] {
  return definition.consumes.flatMap((name, index) => {
    const producer = project.byName.get(name)?.definition;
    return (producer?.outputs ?? []).flatMap(({ table }) => {
      const emptier = producer && emptierOf(producer.connection, table, project)?.definition;
      if (emptier === undefined) return [];
      const message = `\`${table}\` of \`${name}\` is emptied by \`${emptier.name}\` (\`inputs\`): its batches cannot be consumed as well`;
      return [problemIn(yaml, ['consumes', index], message, 'Use `consumes` in both loads.')];
    });
  });
}

/** What the emptier takes before it is copied never is; a cursor's window is published all the same, and the next one lies behind it. */
function copiedButEmptied(load: ParsedLoad, project: ProjectLoads): Problem[] {
  const { from, name } = load.definition;
  const emptier = from?.table === undefined ? undefined : emptierOf(from.connection, from.table, project);
  if (emptier === undefined) return [];
  const who = emptier.definition.name;
  const comesBehind = comesAfter(load, who, project);
  const isLate = comesBehind || (!comesAfter(emptier, name, project) && mayComeLate(name, who, project));
  const what = isLate
    ? 'what that load takes first'
    : 'what lands between the two, or before a run of that load alone,';
  const message = `\`${from!.table}\` is emptied by \`${who}\` (\`inputs\`): ${what} is never copied`;
  const first =
    isLate && !comesBehind ? `; or, where it is to be copied first, write \`needs: [${name}]\` in \`${who}\`` : '';
  const next = `Copy what \`${who}\` writes, or let it take the table's batches with \`consumes\`, which empties nothing${first}.`;
  return [{ ...problemIn(load.yaml, ['from', 'table'], message, next), severity: isLate ? 'error' : 'warn' }];
}

/** Whether a session has both, side by side or that one first. Of sessions with one of them it is not known when they run. */
function mayComeLate(name: string, other: string, project: ProjectLoads): boolean {
  return Object.values(project.settings.sessions).some(({ loads, sequential }) => {
    const members = membersOf(loads, project);
    if (!members.includes(name) || !members.includes(other)) return false;
    return !sequential || members.indexOf(name) > members.indexOf(other);
  });
}

/** Somebody may want to see what still waits there: a warning. */
function readButEmptied(load: ParsedLoad, project: ProjectLoads): Problem[] {
  const { connection, name, reads } = load.definition;
  return reads.flatMap((table, index) => {
    const emptier = emptierOf(connection, table, project);
    if (emptier === undefined || emptier === load) return [];
    if (comesAfter(emptier, name, project)) return [];
    const who = emptier.definition.name;
    const message = `\`${table}\` is emptied by \`${who}\` (\`inputs\`): which rows are found there depends on which load comes first`;
    // Where this load waits for that one, that one cannot wait for it.
    const first = comesAfter(load, who, project)
      ? ''
      : `; or, where only what still waits is meant, write \`needs: [${name}]\` in \`${who}\``;
    const next = `Let both take its batches with \`consumes\`${first}.`;
    return [{ ...problemIn(load.yaml, ['reads', index], message, next), severity: 'warn' }];
  });
}

/** Whether in a session this load waits for that one, itself or through others. */
function comesAfter(load: ParsedLoad, name: string, project: ProjectLoads, seen = new Set<ParsedLoad>()): boolean {
  if (seen.has(load)) return false;
  seen.add(load);
  return dependenciesOf(load, project).some(({ on }) => {
    const next = project.byName.get(on);
    return on === name || (next !== undefined && comesAfter(next, name, project, seen));
  });
}

function ownReads({ definition, yaml }: ParsedLoad): Problem[] {
  const own = new Set(definition.outputs.map(({ table }) => table));
  const inputs = new Set(definition.inputs.map(({ table }) => table));
  return definition.reads.flatMap((table, index) => {
    if (own.has(table)) {
      const message = `\`${table}\` is an output of this load: it needs no \`reads\``;
      return [problemIn(yaml, ['reads', index], message, `\`{{ ${table} }}\` works without it; leave it out.`)];
    }
    if (!inputs.has(table)) return [];
    return [
      problemIn(
        yaml,
        ['reads', index],
        `\`${table}\` is an input of this load: it needs no \`reads\``,
        'Leave it out.',
      ),
    ];
  });
}

/** What an acquisition copies from must not grow by what it copies. */
function ownSource(
  { definition: { from, connection, outputs }, yaml }: ParsedLoad,
  settings: ProjectLoads['settings'],
): Problem[] {
  const [target] = outputs;
  if (from?.connection !== connection || from.table === undefined || target === undefined) return [];
  if (tableId(settings, connection, from.table) !== tableId(settings, connection, target.table)) return [];
  const message = `\`${from.table}\` would be copied into itself`;
  return [problemIn(yaml, ['from', 'table'], message, 'Name another table in `from` or in `to`.')];
}
