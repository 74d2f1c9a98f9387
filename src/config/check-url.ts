import type { Problem } from './problem.ts';
import { schemeOf } from './sql-dialect.ts';
import type { ValuePath, YamlFile } from './yaml-file.ts';

/** Where a URL has its port. */
const PORT = /^\w+:\/\/(?:[^/?#]*@)?(?:\[[^\]]*\]|[^/?#:@]*):(\d+)(?=[/?#]|$)/;

/** What PostgreSQL's clients read about TLS from a URL. */
const ABOUT_TLS = /^(?:ssl|uselibpqcompat)/;
/** Those that the driver knows; any other word it takes for `verify-full`. */
const SSL_MODES = ['disable', 'prefer', 'require', 'verify-ca', 'verify-full', 'no-verify'];

/** Checks a connection's URL; `hasTls`: `tls` stands beside it. What it says never shows any part of the URL but a well-known scheme. */
export function checkUrl(url: string, yaml: YamlFile, at: ValuePath, hasTls: boolean): Problem[] {
  const problem = (message: string, next: string): Problem[] => [
    { ...yaml.place(at), message, next, severity: 'error' },
  ];
  const example = 'Write postgres://user:password@host:5432/database, or take it from the environment: ${NAME}.';
  if (url.trim() === '') {
    const name = /\$\{([A-Za-z_]\w*)\}/.exec(yaml.written(at))?.[1];
    return problem(
      name === undefined ? '`url` is empty' : `\`url\` is empty: so is the environment variable \`${name}\``,
      example,
    );
  }

  const plain = /^\$([A-Za-z_]\w*)$/.exec(yaml.written(at))?.[1];
  if (plain !== undefined) {
    return problem(`\`$${plain}\` is not filled in: a variable stands in braces`, `Write \`\${${plain}}\`.`);
  }
  if (url.startsWith('jdbc:'))
    return problem(
      '`url` is written as Java does',
      'Leave `jdbc:` out; user and password stand before the host: postgres://user:password@host/database.',
    );
  const scheme = /^(mysql|mariadb|postgres|postgresql):\/\//.exec(url)?.[1];
  if (scheme === undefined) return problem('`url` must begin with postgres://, mysql:// or mariadb://', example);
  const escape = 'Write special characters of user and password percent-encoded (`@` is %40, `#` is %23, `/` is %2F).';
  try {
    const { username, password, pathname, searchParams } = new URL(url);
    [username, password, pathname].forEach((part) => decodeURIComponent(part));
    const [parameter] = searchParams.keys();
    if (parameter !== undefined && schemeOf(url) !== 'postgres') {
      return problem(
        `\`url\` has a parameter, \`${parameter}\`: none is known there`,
        'Take it out; certificates stand under `tls`, server settings under `session_params` of a load.',
      );
    }
    const mode = searchParams.get('sslmode');
    if (mode !== null && !SSL_MODES.includes(mode)) {
      return problem(
        '`url` has an `sslmode` that is none',
        `Write one of ${SSL_MODES.join(', ')}; or take it out, and say \`tls\` beside the URL.`,
      );
    }
    // The driver takes what the URL says: `sslmode=disable` would be no encryption, whatever stands under `tls`.
    const both = [...searchParams.keys()].find((name) => ABOUT_TLS.test(name));
    if (hasTls && both !== undefined) {
      return problem(
        `\`url\` says \`${both}\`, and \`tls\` stands beside it: only one of them can hold`,
        'Take it out of the URL, or leave `tls` out.',
      );
    }
  } catch {
    const port = PORT.exec(url)?.[1];
    if (port !== undefined && Number(port) > 65_535) {
      return problem('the port in `url` is above 65535', 'Correct it, or leave it out for the usual one.');
    }
    return problem('`url` cannot be read', escape);
  }
  return [];
}
