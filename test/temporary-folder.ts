import { accessSync, constants, readFileSync, statfsSync } from 'node:fs';
import { freemem, tmpdir } from 'node:os';

const MEMORY = '/dev/shm';
/** What a run of all tests has been seen to need is a quarter of this: four kinds of servers, and databases of tests that failed. */
const ROOM = 8 * 2 ** 30;

/**
 * Where servers and projects of the tests stand: in memory, where there is room, else where the system says. A new database is
 * hundreds of small files: on a disk they took a third of a run's processor time.
 */
export function temporaryFolder(): string {
  try {
    accessSync(MEMORY, constants.W_OK);
    const { bavail, bsize } = statfsSync(MEMORY);
    const mount = readFileSync('/proc/mounts', 'utf8')
      .split('\n')
      .find((line) => line.split(' ')[1] === MEMORY);
    // Programs of servers are copied there, for users who may not enter node_modules.
    const runsPrograms = mount !== undefined && !mount.split(' ')[3]!.split(',').includes('noexec');
    return runsPrograms && bavail * bsize >= ROOM && freemem() >= ROOM ? MEMORY : tmpdir();
  } catch {
    return tmpdir(); // no such folder: not Linux
  }
}
