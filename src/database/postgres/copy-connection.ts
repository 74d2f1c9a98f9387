import type { Socket } from 'node:net';

/** CopyData, the message that holds rows. */
export const COPY_DATA = 0x64; // d
/** Code and length of a message. */
export const HEADER = 5;

/** What a COPY needs of `pg`'s connection, which its types leave out. */
export interface CopyConnection {
  stream: Socket;
  query(text: string): void;
  /** CopyDone. */
  endCopyFrom(): void;
  sendCopyFail(message: string): void;
}

/** `COPY 12` → 12. */
export function rowsOf(tag: string | undefined): number {
  return Number(/^COPY (\d+)/.exec(tag ?? '')?.[1] ?? 0);
}
