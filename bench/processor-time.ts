import { readdir, readFile } from 'node:fs/promises';

/** Seconds of processor time: a machine that others use, too, lengthens the clock's seconds, and hardly these. */
export interface ProcessorTime {
  /** All processes of the database servers, those that have ended included. */
  servers: number;
  /** This process (on our side that is the worker) and what it ran. */
  here: number;
}

/** So many a second in /proc (`getconf CLK_TCK`), on every Linux that Node runs on. */
const TICKS = 100;

/** What was used until now; undefined where there is no /proc. */
export async function processorTime(servers: readonly { pid: number }[]): Promise<ProcessorTime | undefined> {
  const stats = (await Promise.all((await processes()).map(readStat))).filter((stat) => stat !== undefined);
  const own = stats.find(({ pid }) => pid === process.pid);
  const serving = stats.filter(({ pid, parent }) =>
    servers.some((server) => pid === server.pid || parent === server.pid),
  );
  if (own === undefined || serving.length === 0) return undefined;
  return { servers: serving.reduce((sum, { seconds }) => sum + seconds, 0), here: own.seconds };
}

/** `ours 1.2 + 0.3`, of the servers and here. */
export const used = (before: ProcessorTime, after: ProcessorTime): string =>
  `${(after.servers - before.servers).toFixed(2)} + ${(after.here - before.here).toFixed(2)}`;

async function processes(): Promise<string[]> {
  const names = await readdir('/proc').catch(() => []);
  return names.filter((name) => /^\d+$/.test(name));
}

interface Stat {
  pid: number;
  parent: number;
  /** Its own, and that of children that have ended and were waited for. */
  seconds: number;
}

async function readStat(pid: string): Promise<Stat | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined); // it may have ended meanwhile
  if (text === undefined) return undefined;
  // The name, in brackets, may hold anything; what follows it is fields, of which the second is number 4 in proc(5).
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const times = fields.slice(11, 15).map(Number);
  return { pid: Number(pid), parent: Number(fields[1]), seconds: times.reduce((sum, n) => sum + n, 0) / TICKS };
}
