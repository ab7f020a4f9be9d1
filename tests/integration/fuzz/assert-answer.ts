import assert from 'node:assert/strict';
import { replayedHeader } from '#core/http/idempotency/kept-answer.ts';
import type { CheckedAnswer } from '../../support/openapi-check.ts';

/** What an answer must never show: the inside of the server. */
const internals: readonly (readonly [string, RegExp])[] = [
  ['a stack', /\n\s+at |\bat (?:async )?[\w.<>]+ \(|\.(?:ts|js|mjs):\d+/],
  // Not within one: a JSON pointer may have such a name in it.
  ['a path of files', /node_modules|node:internal|file:\/\/|(?<!\w)\/(?:work|tmp|home|root|usr|var|opt)\/[\w.-]+/],
  ['a statement', /\b(?:select|insert into|update|delete from)\b[^"]{1,200}\b(?:from|values|set|where|returning)\b/i],
  [
    'a message of the database',
    /\b(?:relation|column|constraint|operator|function) \\?"|violates \w+|syntax error at|duplicate key|deadlock|SQLSTATE|invalid input syntax|out of range for type|pg_\w+|returnit\.\w+|ECONN\w+/,
  ],
  [
    'an error of the language',
    /\b(?:TypeError|RangeError|SyntaxError|ReferenceError)\b|is not a function|Cannot read propert|undefined is not|ERR_[A-Z_]+/,
  ],
];

/** @param sent everything that the client sent: what it wrote itself it may read again */
export function assertNoInternals(text: string, sent: string): void {
  for (const [what, pattern] of internals) {
    const found = pattern.exec(text)?.[0];
    assert.ok(
      found === undefined || sent.includes(found),
      `the answer shows ${what}: ${found} in ${text.slice(0, 500)}`,
    );
  }
}

/** Not the server's failure, and where it is a refusal, problem details with all that they must have. */
export function assertSound(answer: CheckedAnswer, headers: Headers): void {
  const { status, body, contentType } = answer;
  const what = `${answer.verb} ${answer.path} answered ${status} ${JSON.stringify(body)?.slice(0, 500)}`;
  assert.ok(status < 500, what);
  if (status < 400) return;
  assert.equal(contentType, 'application/problem+json', what);
  const { code, status: told, trace_id: traceId, type } = body as Record<string, unknown>;
  assert.match(String(code), /^[A-Z][A-Z0-9_]{1,63}$/, what);
  assert.equal(told, status, what);
  assert.equal(type, `/problems/${String(code).toLowerCase().replaceAll('_', '-')}`, what);
  // A refusal that is repeated for its key is the first one, with the trace of that.
  if (headers.get(replayedHeader) === null) assert.equal(traceId, headers.get('x-request-id'), what);
  else assert.match(String(traceId), /^[0-9a-f]{32}$/, what);
  if (status === 429 || status === 503) assert.match(headers.get('retry-after') ?? '', /^\d+$/, what);
}
