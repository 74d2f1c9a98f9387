import { execFile } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { chmod, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** How long the index may take to answer, and how long the archive (about 45 MB) may pause between two pieces. */
const INDEX_MS = 4_000;
const STALL_MS = 10_000;

/**
 * Downloads `temporal` from where the SDK gets it for its own test environments (sdk-core, `ephemeral_server`: the same
 * address and the same two steps, an index that names the archive), and puts it at `target`.
 */
export async function downloadFromTemporal(target: string): Promise<void> {
  const platform = process.platform === 'darwin' ? 'darwin' : 'linux';
  const arch = process.arch === 'arm64' ? 'arm64' : 'amd64';
  const index = `https://temporal.download/cli/default?platform=${platform}&arch=${arch}&format=tar.gz`;
  const response = await get(index, AbortSignal.timeout(INDEX_MS));
  const { archiveUrl, fileToExtract } = (await response.json()) as { archiveUrl: string; fileToExtract: string };

  await mkdir(dirname(target), { recursive: true });
  const scratch = await mkdtemp(`${target}-download-`);
  try {
    const archive = join(scratch, 'archive.tar.gz');
    await save(archiveUrl, archive);
    await run('tar', ['-xzf', archive, '-C', scratch, fileToExtract]);
    const program = join(scratch, fileToExtract);
    await chmod(program, 0o755);
    await rename(program, target);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function save(url: string, file: string): Promise<void> {
  const stalled = new AbortController();
  const timer = setTimeout(() => stalled.abort(new Error(`${url} sent nothing for ${STALL_MS} ms`)), STALL_MS);
  try {
    const { body } = await get(url, stalled.signal);
    const pieces = Readable.fromWeb(body as ReadableStream);
    pieces.on('data', () => timer.refresh());
    await pipeline(pieces, createWriteStream(file));
  } finally {
    clearTimeout(timer);
  }
}

async function get(url: string, signal: AbortSignal): Promise<Response> {
  const response = await fetch(url, { signal }).catch((error: unknown) => {
    const cause = (error as { cause?: unknown }).cause;
    throw new Error(`${new URL(url).host}: ${cause instanceof Error ? cause.message : String(error)}`, {
      cause: error,
    });
  });
  if (!response.ok) throw new Error(`${new URL(url).host} answered ${response.status}`);
  return response;
}
