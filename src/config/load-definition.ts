import { decimalsOf } from './decimals.ts';
import { parseDuration } from './duration.ts';
import type {
  AcquisitionSource,
  CheckDefinition,
  InputTable,
  InvalidRule,
  LandingDefinition,
  LoadDefinition,
  RejectLimit,
  StageDefinition,
  StepDefinition,
} from './definition.ts';
import { parseExpectation } from './expectation.ts';
import { filesOf } from './file-source.ts';
import type { AcquisitionFile, CoreFile, LoadFile, ServicesFile, StepsFile } from './load-schema.ts';
import type { Problem } from './problem.ts';
import { checkConnectionName, checkMaxRuntime } from './project-definition.ts';
import type { ProjectSettings } from './project-definition.ts';
import { sessionSettings } from './session-settings.ts';
import { readSql, readSqlList } from './sql-source.ts';
import type { SqlFolder } from './sql-source.ts';
import { readOutputs, readTable, readTables } from './read-table.ts';
import { sqlDialectOf } from './sql-dialect.ts';
import { taskParts } from './task-definition.ts';
import type { YamlFile } from './yaml-file.ts';

/** What turning one load's file into a definition needs. */
export interface LoadBuild {
  name: string;
  yaml: YamlFile;
  settings: ProjectSettings;
  folder: SqlFolder;
  problems: Problem[];
}

/** The definition of one load, from a file that fits its schema. `producers` is filled when all loads are known. */
export function defineLoad(file: LoadFile, build: LoadBuild): LoadDefinition {
  const { name, yaml, settings, problems } = build;
  checkConnectionName(file.connection, settings, yaml, ['connection'], problems);
  const maxRuntimeMs = parseDuration(file.max_runtime ?? '') ?? settings.defaults.maxRuntimeMs;
  checkMaxRuntime(yaml, ['max_runtime'], maxRuntimeMs, problems);

  const zoned = isZoned(file, settings);
  const use = { zoned, copiesWithin: copiesWithin(file) };
  const steps = (key: string, given: StepsFile | undefined): StepDefinition[] =>
    given === undefined ? [] : stepsOf(key, given, zoned, build);
  return {
    name,
    kind: file.kind,
    file: yaml.file,
    ...(file.description !== undefined && { description: file.description }),
    enabled: file.enabled ?? true,
    connection: file.connection,
    ...partsOf(file, build),
    checks: checksOf(file, build),
    before: steps('before', file.before),
    after: steps('after', file.after),
    onError: steps('on_error', file.kind === 'task' ? file.on_error : undefined),
    needs: file.needs ?? [],
    params: file.params ?? {},
    ...decimalsOf(yaml, file),
    sessionParams: sessionSettings(yaml, ['session_params'], file.session_params ?? {}, use, problems),
    lanes: file.lanes ?? settings.defaults.lanes,
    maxAttempts: file.max_attempts ?? settings.defaults.maxAttempts,
    maxRuntimeMs,
    onFailure: file.on_failure ?? 'roll_back',
    onBadRow: file.on_bad_row ?? 'fail',
    maxRejected: rejectLimitOf(file, build),
    ...(file.renamed_from !== undefined && { renamedFrom: file.renamed_from }),
    producers: {},
  };
}

/** One text is one step. */
function stepsOf(key: string, given: StepsFile, zoned: boolean, build: LoadBuild): StepDefinition[] {
  const { yaml, folder, problems } = build;
  if (typeof given === 'string') return readSqlList(yaml, [key], given, folder, problems);
  return given.flatMap((step, index): StepDefinition[] => {
    const at = [key, index];
    const own = typeof step === 'string' ? undefined : step;
    const source = readSql(yaml, own ? [...at, 'sql'] : at, own?.sql ?? (step as string), folder, problems);
    if (source === undefined) return [];
    if (own === undefined) return [source];
    const sessionParams = sessionSettings(yaml, [...at, 'session_params'], own.session_params, { zoned }, problems);
    return [{ ...source, sessionParams }];
  });
}

/** What a task writes is its own business; rows of other kinds go on to others, who read their times in UTC. */
const isZoned = ({ kind, connection }: LoadFile, { connections }: ProjectSettings): boolean =>
  kind === 'task' && sqlDialectOf(connections, connection).localTime !== undefined;

/** Rows of an acquisition that do not leave its connection. */
const copiesWithin = (file: LoadFile): boolean =>
  file.kind === 'acquisition' && file.from.files === undefined && file.from.connection === file.connection;

/** What a load may reject when it does not say. */
const DEFAULT_MOST_REJECTED = 100;

function rejectLimitOf(file: LoadFile, { yaml, problems }: LoadBuild): RejectLimit {
  const { max_rejected: limit = DEFAULT_MOST_REJECTED } = file;
  if (file.max_rejected !== undefined && file.on_bad_row !== 'quarantine') {
    const message = '`max_rejected` means nothing without `on_bad_row: quarantine`';
    const next = 'Add that, or leave it out.';
    problems.push({ ...yaml.place(['max_rejected'], 'key'), message, next, severity: 'error' });
  }
  return typeof limit === 'number' ? { rows: limit } : { percent: Number(limit.replace('%', '')) };
}

/** What the kinds say each in their own way. */
export type Parts = Pick<
  LoadDefinition,
  | 'inputs'
  | 'consumes'
  | 'reads'
  | 'outputs'
  | 'stages'
  | 'chunkRows'
  | 'from'
  | 'files'
  | 'landing'
  | 'range'
  | 'output'
>;

function partsOf(file: LoadFile, build: LoadBuild): Parts {
  if (file.kind === 'acquisition') return acquisitionParts(file, build);
  return file.kind === 'task' ? taskParts(file, build) : transformParts(file, build);
}

function acquisitionParts(file: AcquisitionFile, build: LoadBuild): Parts {
  const { yaml, settings } = build;
  const target =
    typeof file.to === 'string' ? { at: ['to'], table: file.to } : { at: ['to', 'table'], table: file.to.table };
  const { connection, files } = file.from;
  return {
    inputs: [],
    consumes: [],
    reads: [],
    outputs: [
      { table: readTable(target.table, target.at, file.connection, build), rollback: 'delete', write: 'append' },
    ],
    stages: [],
    chunkRows: file.chunk_rows ?? settings.defaults.chunkRows,
    ...(files === undefined && { from: sourceOf({ ...file.from, connection: connection! }, build) }),
    ...(files !== undefined && { files: filesOf(files, file.from, yaml, build.problems) }),
    landing: {
      create: typeof file.to === 'object' && file.to.create === true,
      onNewColumns: (typeof file.to === 'object' && file.to.on_new_columns) || 'fail',
      onInvalid: invalidRules(typeof file.to === 'object' ? file.to.on_invalid : undefined),
    },
  };
}

/** One of the rules; null is YAML's for `null`. */
type WrittenRule = string | null;

function invalidRules(given: WrittenRule | Record<string, WrittenRule> | undefined): LandingDefinition['onInvalid'] {
  const rule = (written: WrittenRule): InvalidRule => (written ?? 'null') as InvalidRule;
  if (given === undefined) return { all: 'fail', columns: {} };
  if (given === null || typeof given === 'string') return { all: rule(given), columns: {} };
  return { all: 'fail', columns: Object.fromEntries(Object.entries(given).map(([name, one]) => [name, rule(one)])) };
}

function sourceOf(from: AcquisitionFile['from'] & { connection: string }, build: LoadBuild): AcquisitionSource {
  const { yaml, settings, problems } = build;
  const { connection, table, sql, cursor, range, consistent, lag, start } = from;
  checkConnectionName(connection, settings, yaml, ['from', 'connection'], problems);
  for (const key of ['lag', 'start'] as const) {
    if (from[key] === undefined || cursor !== undefined) continue;
    const message = `\`${key}\` means nothing without \`cursor\``;
    problems.push({
      ...yaml.place(['from', key], 'key'),
      message,
      next: 'Name the cursor column, or leave it out.',
      severity: 'error',
    });
  }
  const folder = { ...build.folder, dialect: sqlDialectOf(settings.connections, connection) };
  const query = sql === undefined ? undefined : readSql(yaml, ['from', 'sql'], sql, folder, problems);
  return {
    connection,
    ...(table !== undefined && { table: readTable(table, ['from', 'table'], connection, build) }),
    ...(query !== undefined && { sql: query }),
    ...(cursor !== undefined && { cursor }),
    ...(consistent === true && { consistent }),
    ...(range !== undefined && { range }),
    ...(lag !== undefined && { lagMs: parseDuration(lag)! }),
    ...(start !== undefined && { start: String(start) }),
  };
}

function transformParts(file: CoreFile | ServicesFile, build: LoadBuild): Parts {
  const { connection } = file;
  const inputs = file.kind === 'core' ? (file.inputs ?? []) : [];
  const inputTables = readTables(inputs, 'inputs', connection, build);
  return {
    inputs: inputs.map((entry, index) => ({
      table: inputTables[index]!,
      external: typeof entry === 'object' && entry.external === true,
      ...readyOf(entry, index, build),
    })),
    consumes: file.consumes ?? [],
    reads: readTables(file.reads ?? [], 'reads', connection, build),
    outputs: readOutputs(file.outputs, connection, build),
    stages: file.stages.map((stage, index) => stageOf(stage, index, connection, build)),
    chunkRows: build.settings.defaults.chunkRows,
  };
}

/** `ready:` of an input. An acquisition is ready when its batch is published, and needs none. */
function readyOf(
  entry: NonNullable<CoreFile['inputs']>[number],
  index: number,
  { yaml, folder, problems }: LoadBuild,
): Pick<InputTable, 'ready'> {
  if (typeof entry === 'string' || entry.ready === undefined) return {};
  const at = ['inputs', index, 'ready'];
  if (entry.external !== true) {
    const message = '`ready` is for a table that scripts fill: an acquisition is waited for by itself';
    problems.push({
      ...yaml.place(at, 'key'),
      message,
      next: 'Add `external: true`, or leave it out.',
      severity: 'error',
    });
  }
  const ready = readSql(yaml, at, entry.ready, folder, problems);
  return ready === undefined ? {} : { ready };
}

function stageOf(
  stage: CoreFile['stages'][number],
  index: number,
  connection: string,
  build: LoadBuild,
): StageDefinition {
  const { yaml, settings, folder, problems } = build;
  const { name, chunk, lanes } = stage;
  const key = typeof chunk?.key === 'string' ? [chunk.key] : chunk?.key;
  if (lanes !== undefined && chunk === undefined) {
    const message = '`lanes` means nothing in a stage without `chunk`: it is one chunk';
    const next = 'Cut the stage with `chunk`, or leave `lanes` out.';
    problems.push({ ...yaml.place(['stages', index, 'lanes'], 'key'), message, next, severity: 'error' });
  }
  return {
    name,
    sql: readSqlList(yaml, ['stages', index, 'sql'], stage.sql, folder, problems),
    ...(chunk !== undefined && {
      chunk: {
        input: readTable(chunk.input, ['stages', index, 'chunk', 'input'], connection, build),
        rows: chunk.rows ?? settings.defaults.chunkRows,
        ...(key !== undefined && { key }),
      },
    }),
    ...(lanes !== undefined && { lanes }),
  };
}

function checksOf(file: LoadFile, build: LoadBuild): CheckDefinition[] {
  return (file.checks ?? []).flatMap((check, index) => {
    const sql = readSql(build.yaml, ['checks', index, 'sql'], check.sql, build.folder, build.problems);
    if (sql === undefined) return [];
    return [{ name: check.name, sql, expect: parseExpectation(check.expect), severity: check.severity ?? 'error' }];
  });
}
