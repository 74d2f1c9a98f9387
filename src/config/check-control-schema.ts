import type { Problem } from './problem.ts';
import type { ValuePath, YamlFile } from './yaml-file.ts';

/** Schemas that are the servers' own, on one of them or another. */
const OF_SERVERS = /^(?:pg_.*|information_schema|performance_schema|mysql|sys)$/i;

/** Control tables stand in a schema that the server leaves to its users. */
export function checkControlSchema(schema: string, yaml: YamlFile, at: ValuePath): Problem[] {
  if (!OF_SERVERS.test(schema)) return [];
  const message = `\`control_schema\` cannot be \`${schema}\`: that is a server's own`;
  return [{ ...yaml.place(at), message, next: 'Name one of your own, or leave it out: waybill.', severity: 'error' }];
}
