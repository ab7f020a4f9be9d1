/**
 * What secrets look like in a text, whatever it is: those that this platform makes, those of its providers, and what
 * stands behind a name that says so. Every pattern is bounded: texts may be chosen by somebody who wants the core busy.
 */

export const redacted = '[redacted]';

type Replacement = string | ((match: string, ...groups: string[]) => string);
export type TextRule = readonly [RegExp, Replacement];

/** Names of what is secret, also as a part of a longer one (`client_secret`, `X-Api-Key`). */
const secretNames = [
  'passw(?:or)?d',
  'passphrase',
  'pwd',
  'secret',
  'token',
  'api[-_ ]?key',
  'private[-_]?key',
  'signing[-_]?key',
  'credentials?',
  'authorization',
  'cookie',
  'signature',
  'session[-_]?id',
  'jwt',
  'cvc',
  'cvv',
].join('|');
/** These are never the subject of a sentence: what follows is redacted even when it is a plain word. */
const plainNames = /^(?:passw(?:or)?d|pwd|secret|token|api[-_]?key)$/i;
/** "Cannot take the signature: it is old" says nothing secret. */
const plainWord = /^[a-z']{1,12}$/i;

function hideValue(match: string, ...groups: string[]): string {
  const [name = '', suffix = '', separator = '', value = ''] = groups;
  const isSentence = separator.includes(':') && separator !== ':' && plainWord.test(value);
  if (isSentence && (suffix !== '' || !plainNames.test(name))) return match;
  return `${name}${suffix}${separator}${redacted}`;
}

/** Luhn's formula: a tenth of all numbers of this length pass it, all of cards do. */
export function isCardNumber(digits: string): boolean {
  if (!/^[2-6]\d{12,18}$/.test(digits)) return false;
  let sum = 0;
  for (let index = 0; index < digits.length; index += 1) {
    const digit = Number(digits[digits.length - 1 - index]);
    const doubled = digit * 2;
    sum += index % 2 === 0 ? digit : doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

/** 24 random bytes and more in base64url, as the platform makes them; ids of hexadecimal digits or words are none. */
function hideRandom(text: string): string {
  return /[a-z]/.test(text) && /[A-Z]/.test(text) && /\d/.test(text) ? redacted : text;
}

/** Shapes of secrets, whatever stands before them. */
const shapes: readonly TextRule[] = [
  [/-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|$)/g, redacted],
  [/\b(bearer|basic)([\s.]{1,4})[\w.~+/=-]{8,}/gi, `$1$2${redacted}`],
  // A JWT, wherever it stands and wherever the text was cut.
  [/\beyJ[\w-]{8,}(?:\.[\w-]*){0,2}/g, redacted],
  // API keys, of which the first part is their public id; shown with no more than that they stay as they are.
  [
    /(?<![A-Za-z0-9])(?!rk_live_[0-9a-f]{16}_(?![\w-]))(rk_live_[0-9a-f]{16}_|[a-z]{2}_(?:live|test)_)[\w-]{4,}/g,
    `$1${redacted}`,
  ],
  [/\b(whs(?:ec|k)_)[\w+/=-]{4,}/g, `$1${redacted}`],
  // Amazon, Google, GitHub, Slack, SendGrid.
  [
    /\b(?:A(?:KI|SI)A[A-Z0-9]{16}|AIza[\w-]{30,}|gh[opsru]_\w{30,}|xox[abprs]-[\w-]{10,}|SG\.[\w-]{16,}\.[\w-]{16,})/g,
    redacted,
  ],
  // Of SQL.
  [/\b(password\s{1,4})'(?:[^']|'')*'?/gi, `$1'${redacted}'`],
  [
    /(?<![\w.-])[2-6]\d{3}[ -]?\d{4}[ -]?\d{4}[ -]?\d{1,7}(?![\w-])/g,
    (match) => (isCardNumber(match.replaceAll(/[ -]/g, '')) ? redacted : match),
  ],
];
/** In the case in which they are written: a scan without regard to it takes several times as long. */
const maybeShape =
  /eyJ|_(?:live|test)_|whs[ek]|A[KS]IA|AIza|gh[opsru]_|xox|SG\.|-----|[Bb](?:earer|asic)|B(?:EARER|ASIC)|[Pp](?:assword|ASSWORD)\s|[2-6]\d{3}[ -]?\d{4}[ -]?\d{4}/;

/** The user and password of a URL; a password may hold what a URL would have to escape. */
const urls: readonly TextRule[] = [
  [/\b([a-z][a-z0-9+.-]{0,20}:\/\/)[^\s/@:]{0,256}:(?!\d{1,5}(?:[/?#\s"']|$))[^\s"'<>]{0,512}@/gi, `$1${redacted}@`],
  [/\b([a-z][a-z0-9+.-]{0,20}:\/\/)[^\s/@]{1,512}@/gi, `$1${redacted}@`],
];

const named: readonly TextRule[] = [
  [/((?:set-)?cookie["']?\s{0,4}[:=]\s{0,4}["']?)[^\s=;,"']{1,256}=[^\r\n"']*/gi, `$1${redacted}`],
  [/(authorization["']?\s{0,4}[:=]\s{0,4}["']?(?:[a-z-]{3,20}\s{1,4})?)[^\s"',;]{6,}/gi, `$1${redacted}`],
  [
    new RegExp(
      `(${secretNames})([\\w-]{0,24})((?:\\\\{0,3}["'])?\\s{0,4}(?:=|:)\\s{0,4})(\\\\{0,3}"[^"\\\\]*(?:\\\\{0,3}"|$)|'[^']*'?|(?!\\[redacted\\])[^\\s,;&"'}\\])]+)`,
      'gi',
    ),
    hideValue,
  ],
  [/\b(si[dg]=)[^\s,;&"']{4,}/gi, `$1${redacted}`],
];
const maybeName = new RegExp(`${secretNames}|\\bsi[dg]=`, 'i');

const random: readonly TextRule[] = [[/(?<![\w-])[\w-]{32,}(?![\w-])/g, hideRandom]];
/** A line of a private key whose first line stood in another text. */
const keyLine = /^[A-Za-z0-9+/]{60,76}={0,2}$/;
const runLength = 32;
const upper = /[A-Z]/;

/** A text without what looks like a secret. Most texts hold none, so each kind is looked for before it is replaced. */
export function hideSecrets(text: string): string {
  if (text.length >= 60 && text.length <= 78 && keyLine.test(text)) return hideRandom(text);
  let safe = text;
  if (safe.includes('://') && safe.includes('@')) safe = applyRules(urls, safe);
  if ((safe.includes(':') || safe.includes('=')) && maybeName.test(safe)) safe = applyRules(named, safe);
  if (maybeShape.test(safe)) safe = applyRules(shapes, safe);
  return hasLongWord(safe) && upper.test(safe) ? applyRules(random, safe) : safe;
}

export function applyRules(rules: readonly TextRule[], text: string): string {
  // One of two signatures of replace(): which one, the rule knows.
  return rules.reduce((result, [pattern, replacement]) => result.replace(pattern, replacement as string), text);
}

/** For a text that comes line by line: a private key has many. @returns the line, or what is shown in its place */
export function hideKeyLines(): (line: string) => string {
  let isWithin = false;
  return (line) => {
    const begin = isWithin ? 0 : line.search(keyBegin);
    if (begin === -1) return line;
    isWithin = !keyEnd.test(line);
    return `${line.slice(0, begin)}${redacted}`;
  };
}

const keyBegin = /-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----/;
const keyEnd = /-----END [A-Z ]{0,30}PRIVATE KEY-----/;
const isWordCode = new Uint8Array(128);
for (const character of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-')
  isWordCode[character.charCodeAt(0)] = 1;

/** Looks at one in 32 characters where words are short; a pattern would look at each 32 times. */
function hasLongWord(text: string): boolean {
  for (let end = runLength - 1; end < text.length;) {
    let matched = 0;
    while (matched < runLength && isWordCode[text.charCodeAt(end - matched)] === 1) matched += 1;
    if (matched === runLength) return true;
    end += runLength - matched;
  }
  return false;
}
