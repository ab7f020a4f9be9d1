import { AppError } from '#core/errors/app-error.ts';

/** Settings that hold the plugin in its place; Postgres lets a role change its own. */
const guardedSettings = new Set([
  'role',
  'session',
  'session_authorization',
  'statement_timeout',
  'search_path',
  'idle_in_transaction_session_timeout',
  'transaction_timeout',
]);
const transactionControl = new Set([
  'begin',
  'start',
  'commit',
  'end',
  'rollback',
  'abort',
  'savepoint',
  'release',
  'prepare',
]);
/** They change the connection for whoever has it next, or send data outside of the result. */
const sessionControl = new Set(['reset', 'discard', 'listen', 'unlisten', 'deallocate', 'copy', 'load']);

/**
 * Refuses what a statement of a plugin may not begin with. This is for a clear message: what a plugin could do all the
 * same, in a function say, its role may not do, or the core notices by the state of the transaction afterwards.
 *
 * @throws {AppError} INVALID_CALL
 */
export function assertStatement(name: string, text: string): void {
  const [first = '', second = '', third = ''] = readWords(text);
  if (transactionControl.has(first)) {
    throw refuse(name, first, 'the core ends transactions: use ctx.db.transaction()');
  }
  if (sessionControl.has(first)) throw refuse(name, first, 'it would change the connection, which others use after it');
  if (first === 'set' && second !== 'constraints') {
    if (second !== 'local')
      throw refuse(
        name,
        `set ${second}`,
        'it would change the connection, which others use after it; "set local" in a transaction may do',
      );
    if (guardedSettings.has(third)) throw refuse(name, `set local ${third}`, "this setting is the core's");
  }
}

function refuse(name: string, what: string, rule: string): AppError {
  return new AppError('INVALID_CALL', `Cannot run statement "${name}": it says "${what}", and ${rule}`);
}

/** The first three words in lower case, without comments; Postgres nests `/* *\/`. */
function readWords(text: string): string[] {
  let rest = text;
  const words: string[] = [];
  while (words.length < 3) {
    rest = skipSpace(rest);
    const word = /^"?([\w$.]+)"?/.exec(rest);
    if (word === null) break;
    words.push((word[1] ?? '').toLowerCase());
    rest = rest.slice(word[0].length);
  }
  return words;
}

function skipSpace(text: string): string {
  let rest = text.trimStart();
  for (;;) {
    if (rest.startsWith('--')) {
      const end = rest.search(/[\r\n]/);
      rest = end === -1 ? '' : rest.slice(end);
    } else if (rest.startsWith('/*')) {
      rest = skipBlockComment(rest);
    } else return rest;
    rest = rest.trimStart();
  }
}

function skipBlockComment(text: string): string {
  let depth = 0;
  for (const { 0: mark, index } of text.matchAll(/\/\*|\*\//g)) {
    depth += mark === '/*' ? 1 : -1;
    if (depth === 0) return text.slice(index + 2);
  }
  return '';
}
