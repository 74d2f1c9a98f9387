import path from 'node:path';
import { isPacked, lookAt } from '../copy/files/csv-file.ts';

/** Texts are packed to a tenth of their length, seldom to less. */
const UNPACKED = 10;

/** How long files are that are still to be read. Each is looked at once. */
export class FileSizes {
  private readonly known = new Map<string, Promise<number>>();

  constructor(private readonly directory: string) {}

  /** Bytes of all of them; of packed ones as many as they may have unpacked, unless `like` is a packed one, too. One that is gone has none. */
  async of(names: readonly string[], like: string): Promise<number> {
    const unpacked = isPacked(like) ? 1 : UNPACKED;
    const sizes = await Promise.all(
      names.map(async (name) => (await this.sizeOf(name)) * (isPacked(name) ? unpacked : 1)),
    );
    return sizes.reduce((sum, size) => sum + size, 0);
  }

  private sizeOf(name: string): Promise<number> {
    let size = this.known.get(name);
    if (size === undefined) {
      size = lookAt(path.join(this.directory, name)).then(
        (state) => state.size,
        () => 0,
      );
      this.known.set(name, size);
    }
    return size;
  }
}
