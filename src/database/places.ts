/**
 * Looks of starts that there are places for at least. One that waits for a table that somebody has to himself keeps its place for as long,
 * and must not be the only one, however few lanes there are: no other load of the worker could start.
 */
export const LOOKS = 4;

/** How a place is waited for. */
export interface WaitForPlace {
  /** Who waits leaves the line with it. */
  signal?: AbortSignal | undefined;
  /** Before all lanes: what a roll back gives back, its load wants again, and each lane keeps its place for up to a minute. */
  first?: boolean | undefined;
}

/** A fixed number of places, first come, first served: how lanes share `max_connections`. */
export class Places {
  private readonly first: (() => void)[] = [];
  private readonly waiting: (() => void)[] = [];

  constructor(private free: number) {}

  /** Resolves when a place is yours; give it back with `give`. */
  async take({ signal, first = false }: WaitForPlace = {}): Promise<void> {
    signal?.throwIfAborted();
    if (this.takeFree()) return;
    const line = first ? this.first : this.waiting;
    await new Promise<void>((resolve, reject) => {
      const begin = (): void => {
        signal?.removeEventListener('abort', leave);
        resolve();
      };
      const leave = (): void => {
        line.splice(line.indexOf(begin), 1);
        reject(signal?.reason as Error);
      };
      signal?.addEventListener('abort', leave, { once: true });
      line.push(begin);
    });
  }

  /** Takes a place if one is free now. */
  takeFree(): boolean {
    if (this.free === 0) return false;
    this.free -= 1;
    return true;
  }

  give(): void {
    const next = this.first.shift() ?? this.waiting.shift();
    if (next) next();
    else this.free += 1;
  }
}
