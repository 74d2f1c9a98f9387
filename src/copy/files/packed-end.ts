import type { Gunzip } from 'node:zlib';

/**
 * What follows the text of a packed file. `Gunzip` takes a zero there for padding, as tapes and block devices leave it, and reads no further:
 * members that come behind zeros (somebody appended to a file of which a crash left a stretch zeroed, or joined padded ones) would be passed over.
 */
export class PackedEnd {
  /** Those that may not have been unpacked yet. Few: a pipe does not run ahead of who reads it. */
  private pieces: { end: number; bytes: Buffer }[] = [];
  private size = 0;

  constructor(private readonly text: Gunzip) {}

  /** Each piece of the file, in order. */
  take(bytes: Buffer): void {
    this.size += bytes.length;
    this.pieces = this.pieces.filter(({ end }) => end > this.text.bytesWritten);
    this.pieces.push({ end: this.size, bytes });
  }

  /** Once the text has ended: where bytes that are not zeros follow, as an offset into the file. What was looked at is let go. */
  notZero(): number | undefined {
    for (const { end, bytes } of this.pieces.splice(0)) {
      const start = end - bytes.length;
      const unread = Math.max(this.text.bytesWritten - start, 0);
      const at = bytes.subarray(unread).findIndex((byte) => byte !== 0);
      if (at >= 0) return start + unread + at;
    }
    return undefined;
  }
}
