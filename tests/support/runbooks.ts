/** The blocks of the runbooks, and what a test must know to paste them where they are harmless. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readBlocks } from '../documents/readme.ts';
import { skipWithout } from './programs.ts';
import { projectDir } from './project-copy.ts';

export interface RunbookBlock {
  /** The alert's name, and which of the page's blocks it is. */
  readonly title: string;
  readonly language: string;
  readonly code: string;
}

export function readRunbooks(): readonly RunbookBlock[] {
  const folder = join(projectDir, 'alerts/runbooks');
  return readdirSync(folder)
    .toSorted()
    .flatMap((file) =>
      readBlocks(readFileSync(join(folder, file), 'utf8')).map(({ language, code }, index) => ({
        title: `${file.slice(0, -'.md'.length)}, block ${index + 1} (${language})`,
        language,
        code,
      })),
    );
}

/** Lines that are not run, and why. */
export const notRun: Readonly<Record<string, string>> = {
  'docker compose ps --all': 'no test has a container engine',
  'docker compose logs --tail 50 otel-collector tempo loki grafana':
    'no test has a container engine; the names are held against compose.yaml',
};

/** What stands in the runbooks, and what is here: longest first, so that what is around a placeholder tells which it is. */
export type Replacements = readonly (readonly [text: string, here: string])[];

/** Drills that would last for minutes: the same in seconds. */
export const shortened: Replacements = [
  ['ab -c 20 -t 1200', 'ab -c 2 -t 2'],
  ['seq 420 | xargs -P 420', 'seq 3 | xargs -P 3'],
  ['while sleep 60;', 'while sleep 1;'],
  ['seq 6000 |', 'seq 20 |'],
];

/** @param used is told of each text that was found */
export function replaceAll(code: string, replacements: Replacements, used: Set<string> = new Set()): string {
  return replacements.reduce((result, [text, here]) => {
    if (!result.includes(text)) return result;
    used.add(text);
    return result.replaceAll(text, here);
  }, code);
}

/** Goes on until somebody ends it. */
export const isEndless = (code: string): boolean => /^while sleep |\bcurl -sN /m.test(code);

/** What a line looks for is not there as long as all is well. */
const findsTrouble = /\bgrep\b.* data\/|data\/.*\bgrep\b|journalctl|grep -B1 lastError/;

/**
 * The lines as a script: a command that fails, in whatever place of a line, fails it and is named.
 *
 * @param returnit the command line of the platform, as words of a shell
 */
export function toScript(code: string, returnit: string): string {
  const preamble = [
    'set -uo pipefail',
    'curl() { command curl "$@" || { code=$?; [ $code -eq 23 ] || return $code; }; }',
    `npx() { [ "$1" = returnit ] && shift && ${returnit} "$@"; }`,
  ];
  const lines = code.trimEnd().split('\n');
  return [
    ...preamble,
    // `head` may have read enough: whoever wrote on ends with 141 then, curl with 23. The time of mosquitto_sub is over: 27.
    `trap 'code=$?; [[ $code == @(141|27) ]] || { echo "line $((LINENO - ${preamble.length + 1})): exit code $code" >&2; exit $code; }' ERR`,
    ...lines.map((line) => {
      if (notRun[line] !== undefined) return ':';
      return findsTrouble.test(line) ? `{ ${line}; } || [ $? -eq 1 ]` : line;
    }),
  ].join('\n');
}

/** Which of these are in packages of their own is known here, so that a test says what is missing. */
const packages: Readonly<Record<string, string>> = {
  ab: 'apache2-utils',
  journalctl: 'systemd',
  mosquitto_pub: 'mosquitto-clients',
  mosquitto_sub: 'mosquitto-clients',
};

/** Why a block cannot be run on this machine, or false. */
export function skipWithoutPrograms(code: string): string | false {
  const words = new Set(code.match(/\b\w+\b/g));
  return Object.entries(packages)
    .filter(([program]) => words.has(program))
    .map(([program, itsPackage]) => skipWithout([program], itsPackage))
    .reduce((found, skip) => found || skip, false);
}

/** What `grep` is asked for, where a line reads this with it; each alternative alone. */
export function patternsOf(code: string, source: string): readonly string[] {
  return code
    .split('\n')
    .filter((line) => line.includes(source))
    .flatMap((line) => [...line.matchAll(/grep (?:-\w+ )*'([^']+)'/g)].flatMap(([, pattern = '']) => expand(pattern)));
}

/** `^(a|b_(c|d))` is `^a`, `^b_c` and `^b_d`. */
function expand(pattern: string): readonly string[] {
  const group = /\(([^()]*)\)/.exec(pattern);
  if (group === null) return pattern.split('|');
  const [whole, inner = ''] = group;
  return inner
    .split('|')
    .flatMap((each) => expand(pattern.slice(0, group.index) + each + pattern.slice(group.index + whole.length)));
}
