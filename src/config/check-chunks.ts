import type { Comparison } from '../sql/cut/comparison.ts';
import { readStage, type StageStatement } from '../sql/cut/stage.ts';
import type { CutFault } from '../sql/cut/faults.ts';
import { groupingConstructs, insertsOnce, mentionsTable } from '../sql/lint.ts';
import { nearest } from '../sql/names.ts';
import { usedBounds } from '../sql/ranged.ts';
import type { Statement } from '../sql/statement.ts';
import type { ChunkDefinition, LoadDefinition } from './definition.ts';
import { hasUnknownBrace } from './check-braces.ts';
import { isGiven } from './check-range.ts';
import { explainCutFault } from './explain-cut-fault.ts';
import { didYouMean, problemAt, problemIn } from './parsed-load.ts';
import type { ParsedLoad, ParsedStage } from './parsed-load.ts';
import type { Problem } from './problem.ts';
import { consumedTables } from './project-loads.ts';
import type { ProjectLoads } from './project-loads.ts';

/** A chunked stage does the same when its table is cut into many chunks as when it is one. */
export function checkChunks(load: ParsedLoad, project: ProjectLoads): Problem[] {
  const parts = load.stages.flatMap((stage) => {
    if (stage.chunk === undefined) return [];
    const input = stage.chunk.input;
    const unknown = unknownInput(load, stage, input, project);
    if (unknown !== undefined) return unknown;
    const used = stage.statements.some((statement) => cutsOf(statement, input).length > 0);
    if (!used) {
      if (load.incomplete || hasUnknownBrace(load, project)) return [];
      const message = `stage \`${stage.name}\` is cut by \`${input}\` but never uses \`{{ ${input} }}\`: it would do everything once per chunk`;
      return [
        problemIn(
          load.yaml,
          ['stages', stage.index, 'chunk'],
          message,
          'Read the rows from it, or leave `chunk` out.',
          true,
        ),
      ];
    }
    return cutProblems(load.definition, stage.statements, stage.chunk);
  });
  return [...parts, ...nothingToHalve(load)];
}

/** What the statements of a stage do otherwise once per chunk. `counts`: as `readStage` has it. */
export function cutProblems(
  load: LoadDefinition,
  statements: Statement[],
  chunk: ChunkDefinition,
  counts?: (comparison: Comparison) => boolean,
): Problem[] {
  const { input, key } = chunk;
  // What functions do with the rows, nobody sees.
  const isHidden = statements.some(makesFunctions);
  return readStage(statements, input, key, counts).flatMap((one) => [
    ...cutTwice(one, input),
    ...(key === undefined ? groupsParts(load, one, input) : []),
    ...worksOtherwise(load, one, chunk, isHidden),
    ...(isHidden ? [] : insertsPerChunk(load, one, input)),
  ]);
}

/** A bad row is found by halving chunks. */
function nothingToHalve({ definition, yaml }: ParsedLoad): Problem[] {
  if (definition.onBadRow !== 'quarantine') return [];
  const [what, next] = whyNotHalved(definition, isGiven(yaml, 'range')) ?? [];
  if (what === undefined) return [];
  const message = `\`on_bad_row: quarantine\` cannot tell rows apart: ${what}`;
  return [problemIn(yaml, ['on_bad_row'], message, next, true)];
}

/** And what to do about it; undefined: there is something to halve. */
function whyNotHalved({ kind, from, files, stages }: LoadDefinition, hasRange: boolean): [string, string] | undefined {
  if (kind === 'task') return hasRange ? undefined : ['there is no `range`', 'Write `range`, or leave it out.'];
  if (files) return undefined; // rows of a file are told apart by themselves
  if (from) {
    if (from.table !== undefined || from.cursor !== undefined) return undefined;
    return ['a query without `cursor` or `range` is one chunk', 'Name one of them, or leave it out.'];
  }
  if (stages.some(({ chunk }) => chunk !== undefined)) return undefined;
  return ['no stage is cut into chunks', 'Cut a stage with `chunk`, or leave it out.'];
}

function cutsOf(statement: Statement, input: string) {
  return statement.braces.filter(({ table, all }) => table === input && !all);
}

function unknownInput(load: ParsedLoad, stage: ParsedStage, input: string, project: ProjectLoads) {
  const { definition, yaml } = load;
  const consumed = consumedTables(definition, project);
  const known = [...definition.inputs.map(({ table }) => table), ...consumed.keys()];
  if (known.includes(input)) return undefined;
  if (definition.consumes.some((name) => !project.byName.has(name))) return [];
  const message = `\`${input}\` is neither an input nor an output of a consumed load${didYouMean(nearest(input, known))}`;
  return [problemIn(yaml, ['stages', stage.index, 'chunk', 'input'], message)];
}

function cutTwice({ statement, cuts }: StageStatement, input: string): Problem[] {
  return cuts
    .slice(1)
    .map(({ line, column }) =>
      problemAt(
        { file: statement.file, line, column },
        `\`{{ ${input} }}\` stands twice in one statement of a chunked stage: each chunk would join with its own rows only`,
        `Write \`{{ ${input} | all }}\` where all rows are meant, or leave \`chunk\` out.`,
      ),
    );
}

const CONSTRUCT_NAMES: Record<string, string> = {
  aggregate: 'an aggregate',
  'window function': 'a window function',
  'variable assignment': 'an assignment to a variable',
};

function groupsParts(load: LoadDefinition, { statement, cuts, reads }: StageStatement, input: string): Problem[] {
  const own = reads.filter(({ start }) => cuts.every((cut) => cut.start !== start));
  // Of a table that the stage made, what counts is what comes to an output.
  const places = [...cuts, ...(own.length > 0 && mentionsOutput(load, statement) ? own : [])];
  const found = places.flatMap((place) => groupingConstructs(statement, place));
  const once = new Map(found.map((construct) => [`${construct.line}:${construct.column}`, construct]));
  return [...once.values()].map(({ what, line, column }) =>
    problemAt(
      { file: statement.file, line, column },
      `${CONSTRUCT_NAMES[what] ?? `\`${what}\``} over \`{{ ${input} }}\` in a stage cut without a key: every chunk would see a part of the rows only`,
      'Give `chunk.key`, so that rows which belong together share a chunk, or leave `chunk` out.',
    ),
  );
}

const mentionsOutput = ({ outputs }: LoadDefinition, statement: Statement): boolean =>
  outputs.some(({ table }) => mentionsTable(statement, table).length > 0);

/** Something whose rows are nobody's to follow. */
const makesFunctions = ({ verb, tokens }: Statement): boolean =>
  (verb === 'create' && !tokens.some(({ keyword }) => ['table', 'view', 'index'].includes(keyword))) ||
  ['do', 'call', 'execute', 'prepare'].includes(verb);

/** What comes once per chunk, or is cut in two, although the statement uses the cut once. */
function worksOtherwise(
  load: LoadDefinition,
  { statement, cuts, faults }: StageStatement,
  { input, key = [] }: ChunkDefinition,
  isHidden: boolean,
): Problem[] {
  if (cuts.length > 1) return [];
  const intoOutput = ({ target }: CutFault): boolean =>
    load.outputs.some(({ table }) =>
      mentionsTable(statement, table).some(({ line, column }) => line === target?.line && column === target.column),
    );
  const changesOutput = (fault: CutFault): boolean =>
    fault.doubtful ? mentionsOutput(load, statement) : intoOutput(fault);
  // A note of each chunk, in a table that is no output, may be just that.
  const isOfChunks = ({ what }: CutFault): boolean => PER_CHUNK.has(what) && !mentionsOutput(load, statement);
  // Whatever stands around it, an output is not truncated (check-outputs-kept.ts).
  const isToldOf = (fault: CutFault): boolean => statement.verb === 'truncate' && intoOutput(fault);
  return faults
    .filter((fault) => fault.what !== 'unreached' || (!isHidden && intoOutput(fault)))
    .filter((fault) => fault.what !== 'again' || (usedBounds([statement]).length === 0 && changesOutput(fault)))
    .filter(({ what }) => !PER_CHUNK.has(what) || !onlyReads(statement))
    .filter(({ what }) => !['changed', 'limited', 'taken'].includes(what) || usedBounds([statement]).length === 0)
    .filter((fault) => !isToldOf(fault))
    .filter((fault) => fault.what !== 'shared' || readsOthers(load, statement, fault))
    .map((fault) => {
      const { message, next } = explainCutFault(fault, input, key);
      const place = { file: statement.file, line: fault.line, column: fault.column };
      const isNote = isOfChunks(fault) || (PER_TABLE.has(fault.what) && !intoOutput(fault));
      return problemAt(place, message, next, fault.doubtful || isNote ? 'warn' : 'error');
    });
}

/** What may be meant in a table that is no output. */
const PER_TABLE = new Set<CutFault['what']>(['limited', 'shared', 'changed']);

/** What comes to another end in each chunk. */
const PER_CHUNK = new Set<CutFault['what']>(['whole', 'grouping']);

/**
 * Whether it matters that other chunks have written there. What stands in braces and is no output stands still: a snapshot, though rows
 * are kept in the table itself for the next load. The bounds of a chunk may say which rows are its own.
 */
function readsOthers({ outputs }: LoadDefinition, statement: Statement, { line, column, doubtful }: CutFault): boolean {
  const brace = statement.braces.find((one) => one.line === line && one.column === column);
  const isStill = brace !== undefined && !outputs.some(({ table }) => table === brace.table);
  return !isStill && !onlyReads(statement) && (!doubtful || usedBounds([statement]).length === 0);
}

/** Nobody sees the rows that it gives, be they counted or grouped per chunk. */
const onlyReads = ({ verb, tokens }: Statement): boolean =>
  verb === 'select' && !tokens.some(({ keyword }) => keyword === 'into');

/** An insert that the cut does not reach inserts the same rows for each chunk. `on conflict` and its like may be meant to stop that. */
function insertsPerChunk({ outputs }: LoadDefinition, read: StageStatement, input: string): Problem[] {
  const { statement, cuts, readsOwn, grows } = read;
  if (cuts.length > 0 || readsOwn || (insertsOnce(statement) && !grows)) return [];
  const inserts = outputs.some(({ table }) => mentionsTable(statement, table).some((m) => m.asInsertTarget));
  if (!inserts) return [];
  const message = `this insert does not use \`{{ ${input} }}\`: it would insert the same rows once per chunk`;
  return [problemAt(statement, message, 'Move it to a stage of its own, without `chunk`.')];
}
