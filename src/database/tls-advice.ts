/**
 * What to do about a connection that failed over TLS, by the words of node and of the drivers (each driver has codes of its own);
 * undefined: it failed over something else.
 */
export function tlsAdvice(connection: string, message: string): string | undefined {
  if (/does not match certificate/.test(message)) {
    return `write the host in the URL of connection ${connection} as the server's certificate names it`;
  }
  if (/certificate (?:has expired|is not yet valid)/.test(message)) return "renew the server's certificate";
  if (/self[- ]signed certificate|(?:first|issuer) certificate/.test(message)) {
    return `name the file of the authority that signed the server's certificate: tls: { ca: FILE } of connection ${connection}`;
  }
  if (/does not support (?:SSL|secure) connection/.test(message)) {
    return `turn TLS on at the server, or leave tls out of connection ${connection}`;
  }
  const file = /^E(?:NOENT|ACCES|ISDIR|PERM)\b.* '(.+)'$/.exec(message)?.[1];
  if (file !== undefined)
    return `see to it that the worker can read ${file}, or correct the URL of connection ${connection}`;
  if (/no pg_hba\.conf entry .* no encryption$/.test(message)) {
    return `where the server takes encrypted connections only, write tls: true under connection ${connection}; else have it let this user in`;
  }
  if (/valid client certificate/.test(message)) {
    return `name a certificate of this user's and its key: tls: { cert: FILE, key: FILE } of connection ${connection}`;
  }
  if (/insecure transport/.test(message)) {
    return `the server takes encrypted connections only: write tls: true under connection ${connection}`;
  }
  return undefined;
}
