/**
 * Looks of starts that there are places for at least. One that waits for a table that somebody has to himself keeps its place for as long,
 * and must not be the only one, however few lanes there are: no other load of the worker could start.
 */
export const LOOKS = 4;

/** A fixed number of places, first come, first served: how lanes share `max_connections`. */
export class Places {
  private readonly waiting: (() => void)[] = [];

  constructor(private free: number) {}

  /** Resolves when a place is yours; give it back with `give`. */
  async take(): Promise<void> {
    if (this.free > 0) {
      this.free -= 1;
      return;
    }
    await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  /** Takes a place if one is free now. */
  takeFree(): boolean {
    if (this.free === 0) return false;
    this.free -= 1;
    return true;
  }

  give(): void {
    const next = this.waiting.shift();
    if (next) next();
    else this.free += 1;
  }
}
