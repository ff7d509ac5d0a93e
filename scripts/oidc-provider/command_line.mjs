// What the two programs share: flags, and how they fail.
import { basename } from 'node:path';
import { parseArgs } from 'node:util';

const PROGRAM = basename(process.argv[1] ?? 'node', '.mjs');

// Exit codes: 1 when something does not work, 2 when the flags are wrong.
export function fail(code, message) {
  console.error(`${PROGRAM}: ${message}.`);
  process.exit(code);
}

export function parseFlags(options) {
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    // The rest of the message is advice about positional arguments.
    return fail(2, error.message.split(/\.\s/)[0]);
  }
}

export function oneOf(flag, value, allowed) {
  if (allowed.includes(value)) return value;
  return fail(2, `--${flag} must be one of ${allowed.join(', ')}, not '${value}'`);
}

// Called late, so that a mistyped flag is answered before any notice.
export function load(packageName) {
  return import(packageName).catch((error) => {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    return fail(1, "the dependencies are missing, run 'npm ci' next to this program first");
  });
}

export function printLine(details) {
  process.stdout.write(`${JSON.stringify(details)}\n`);
}
