type Bind = (value: unknown, cast?: string) => string;

/** The condition of a window `[from, to)` of a column, by its quoted name; `type`: what the bounds are compared as. */
export function conditionOfWindow(
  name: string,
  type: string,
  { from, to }: { from: string | null; to: string | null },
  bind: Bind,
): string {
  const parts = [
    ...(from === null ? [] : [`${name} >= ${bind(from, type)}`]),
    ...(to === null ? [] : [`${name} < ${bind(to, type)}`]),
  ];
  return parts.length === 0 ? 'true' : parts.join(' and ');
}
