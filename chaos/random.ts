import { createHash } from 'node:crypto';

/** Random numbers that a seed decides: of one seed and name always the same ones (mulberry32). */
export class Random {
  private state: number;

  /** @param name each user of the seed has numbers of its own, so that none depends on how fast another one is */
  constructor(seed: string, name: string) {
    this.state = createHash('sha256').update(`${seed} ${name}`).digest().readUInt32LE();
  }

  /** In [0, 1). */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** In [from, to). */
  between(from: number, to: number): number {
    return from + this.next() * (to - from);
  }

  /** A whole number from `from` to `to`, both included. */
  whole(from: number, to: number): number {
    return Math.floor(this.between(from, to + 1));
  }

  chance(share: number): boolean {
    return this.next() < share;
  }

  pick<T>(all: readonly T[]): T {
    return all[Math.floor(this.next() * all.length)]!;
  }

  /** One of them, each as likely as its weight says. */
  weighed<T extends { weight: number }>(all: readonly T[]): T {
    let rest = this.next() * all.reduce((sum, { weight }) => sum + weight, 0);
    return all.find(({ weight }) => (rest -= weight) < 0) ?? all.at(-1)!;
  }
}
