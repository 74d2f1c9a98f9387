/** Calls the real command line, and looks through all that it says. */
import { spawn } from 'node:child_process';
import type { Answer, Diary } from './diary.ts';
import type { Site } from './site.ts';

/** A run waits for its load, which waits for workers, and for its max_runtime at the most, a few times over. */
const HANGS_MS = 400_000;
const DOCUMENTED = [0, 1, 3, 4, 5];
/** A stack trace, or a value that nobody has put into words. */
const INDECENT =
  /^\s+at .*[(:]|\[object Object\]|\bundefined\b|\bTypeError\b|UnhandledPromise|node:internal|This should not happen/m;

export class CommandLine {
  constructor(
    private readonly site: Site,
    private readonly program: string,
    private readonly diary: Diary,
  ) {}

  async waybill(...argv: string[]): Promise<Answer> {
    const began = performance.now();
    const child = spawn(process.execPath, [this.program, '--project', this.site.project, ...argv], {
      env: this.site.environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const said = { stdout: '', stderr: '' };
    child.stdout.on('data', (data: Buffer) => (said.stdout += data.toString()));
    child.stderr.on('data', (data: Buffer) => (said.stderr += data.toString()));
    const timer = setTimeout(() => child.kill('SIGKILL'), HANGS_MS);
    const exitCode = await new Promise<number | null>((resolve) => child.on('close', resolve));
    clearTimeout(timer);
    const answer = { argv, exitCode, ...said, ms: performance.now() - began };
    this.diary.command(answer);
    const complaint = complaintAbout(answer, this.site.password);
    if (complaint !== undefined) {
      this.diary.problem(`waybill ${argv.join(' ')} (exit code ${String(exitCode)}): ${complaint} (commands.log)`);
    }
    return answer;
  }
}

/** What is wrong with an answer, whatever it says. */
function complaintAbout({ argv, exitCode, stdout, stderr, ms }: Answer, password: string): string | undefined {
  const said = stdout + stderr;
  if (exitCode === null) return `it hung: no answer within ${Math.round(ms / 1000)} s`;
  if (!DOCUMENTED.includes(exitCode) && !said.includes('there is no batch'))
    return 'an exit code that says nothing of a failure';
  const indecent = INDECENT.exec(said);
  if (indecent) return `it says ${JSON.stringify(indecent[0].trim())}`;
  if (said.includes(password)) return 'it says the password';
  if (exitCode !== 0 && stderr.trim() === '') return 'it does not say why';
  return argv.includes('--json') ? complaintAboutDocument(exitCode, stdout) : undefined;
}

function complaintAboutDocument(exitCode: number, stdout: string): string | undefined {
  try {
    const document = JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as { error?: Record<string, unknown> | null };
    if (exitCode === 0 || argsOf(document.error)) return undefined;
    return 'its document has no error with type, message, where and next';
  } catch {
    return 'its last line is no JSON document';
  }
}

const argsOf = (error: Record<string, unknown> | null | undefined): boolean =>
  !!error && ['type', 'message', 'where', 'next'].every((key) => key in error);
