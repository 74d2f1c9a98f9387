/** What a run takes of what is dear: the seed says it, so that another run takes the rest. All, where all is wanted (npm run test:all). */
import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { inject } from 'vitest';

/** Bytes that are other ones for another file (`import.meta.url`) and with another seed. */
export const hashOf = (file: string): Buffer => bytesOf(`${inject('seed').value} ${basename(file)}`);

/** Bytes that are other ones for another text, whatever the seed. */
export const bytesOf = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Every n-th of these cases, from the one on that the seed says; at least one. */
export function everyNth<Case>(n: number, cases: readonly Case[], file: string): Case[] {
  const step = inject('seed').all ? 1 : Math.min(n, cases.length);
  const first = hashOf(file)[5]! % step;
  return cases.filter((_case, i) => i % step === first);
}

/** One of these cases. */
export const oneOf = <Case>(cases: readonly Case[], file: string): Case[] => everyNth(cases.length, cases, file);
