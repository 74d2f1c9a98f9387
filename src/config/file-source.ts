import type { FileSource } from './definition.ts';
import { parseDuration } from './duration.ts';
import type { AcquisitionFile } from './load-schema.ts';
import type { Problem } from './problem.ts';
import type { YamlFile } from './yaml-file.ts';

/** Files lie in the project's folder, or behind a link in it: a definition never names a place of one machine. */
export function filesOf(
  given: string | string[],
  { csv: { delimiter = ',', quote = '"', null_text = '' } = {}, lag }: Pick<AcquisitionFile['from'], 'csv' | 'lag'>,
  yaml: YamlFile,
  problems: Problem[],
): FileSource {
  const patterns = typeof given === 'string' ? [given] : given;
  for (const [index, pattern] of patterns.entries()) {
    const wrong = wrongPattern(pattern);
    if (!wrong) continue;
    const at = typeof given === 'string' ? ['from', 'files'] : ['from', 'files', index];
    problems.push({ ...yaml.place(at), ...wrong, severity: 'error' });
  }
  if (delimiter === quote) {
    const message = `\`delimiter\` and \`quote\` are one character`;
    problems.push({ ...yaml.place(['from', 'csv', 'quote']), message, severity: 'error' });
  }
  return {
    patterns: patterns.map((pattern) => pattern.replace(/^(\.\/)+/, '')),
    format: { delimiter, quote, nullText: null_text },
    lagMs: parseDuration(lag ?? '') ?? 0,
  };
}

function wrongPattern(pattern: string): Pick<Problem, 'message' | 'next'> | undefined {
  if (/^\/|^[a-z]:|\\|(^|\/)\.\.(\/|$)/i.test(pattern)) {
    return {
      message: `\`${pattern}\` is not within the project's folder`,
      next: 'Write it with `/`, relative to the folder of waybill.yaml; a folder elsewhere can be linked into it.',
    };
  }
  // No file would ever be found, and every run would end well.
  if (/(^|\/)(\*\*)?$/.test(pattern)) {
    const files = `${pattern.replace(/\/$/, '')}/*`;
    return { message: `\`${pattern}\` means folders, and no file`, next: `Write \`${files}\` for the files in them.` };
  }
  return undefined;
}
