import { isCode, isMark, isWord, type Token } from './token.ts';

/** Functions of windows, and which of their arguments MySQL takes as a number or a placeholder alone. */
const BARE_ARGUMENT: Record<string, number> = { ntile: 0, lag: 1, lead: 1 };

/**
 * Whether MySQL or MariaDB takes a placeholder at this token, and no expression: behind LIMIT and OFFSET, in the bounds of a frame and in
 * some functions of windows. (In the bounds of a frame MariaDB takes no placeholder at all.)
 */
export function takesBareValue(tokens: readonly Token[], at: number): boolean {
  const next = tokens.slice(at + 1).find(isCode);
  if (isWord(next, 'preceding', 'following')) return true;
  const before = tokens.slice(0, at).filter(isCode).reverse();
  if (isWord(before[0], 'limit', 'offset')) return true;
  if (isMark(before[0], ',') && isWord(before[2], 'limit')) return true; // limit 10, :n
  return (isMark(next, ',') || isMark(next, ')')) && isBareArgument(before);
}

/** `before`: what stands before the argument, backwards. */
function isBareArgument(before: readonly Token[]): boolean {
  let [depth, argument] = [0, 0];
  for (const [i, token] of before.entries()) {
    if (i === 0 && !isMark(token, ',') && !isMark(token, '(')) return false;
    if (isMark(token, ')')) depth += 1;
    else if (isMark(token, '(') && depth > 0) depth -= 1;
    else if (isMark(token, '(')) return bareArgumentOf(before[i + 1]) === argument;
    else if (isMark(token, ',') && depth === 0) argument += 1;
  }
  return false;
}

const bareArgumentOf = (token: Token | undefined): number | undefined =>
  Object.entries(BARE_ARGUMENT).find(([name]) => isWord(token, name))?.[1];
