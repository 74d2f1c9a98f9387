import type { Code } from './code.ts';

/** Where the table stands that a statement writes to. */
export function targetOf(code: Code, verb: number, ...words: string[]): number {
  let target = verb + 1;
  while (code.is(target, ...words, ...code.dialect.writeModifiers)) target++;
  return target;
}
