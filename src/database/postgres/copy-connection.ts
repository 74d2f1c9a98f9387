import type { Socket } from 'node:net';

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
