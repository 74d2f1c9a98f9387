/** What a script of this project does with its arguments, and how it ends. */
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { ConfigurationError, EXIT } from '../src/errors.ts';

/** @throws ConfigurationError with `help` for arguments that are not there. */
export function argumentsOf<Options extends NonNullable<ParseArgsConfig['options']>>(
  args: string[],
  options: Options,
  help: string,
): ReturnType<typeof parseArgs<{ args: string[]; options: Options }>>['values'] {
  try {
    return parseArgs({ args, options }).values;
  } catch (cause) {
    throw new ConfigurationError((cause as Error).message, { next: help, cause });
  }
}

/** The exit code: of `work`, which is true when all was well, or of arguments that make no sense, which it says. */
export async function command<Options extends { help: boolean }>(
  parse: (args: string[]) => Options,
  help: string,
  work: (options: Options) => Promise<boolean>,
): Promise<number> {
  try {
    const options = parse(process.argv.slice(2));
    if (options.help) console.log(help);
    else if (!(await work(options))) return EXIT.failed;
    return EXIT.done;
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    console.error([error.message, error.next].filter((line) => line !== undefined).join('\n'));
    return error.exitCode;
  }
}
