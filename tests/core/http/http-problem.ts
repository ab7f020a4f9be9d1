import assert from 'node:assert/strict';

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly instance: string;
  readonly code: string;
  readonly trace_id: string;
  readonly errors?: readonly { in: string; pointer: string; detail: string }[];
}

/** The problem that a response is, after a look at what every problem has. */
export async function problemOf(response: Response): Promise<Problem> {
  assert.match(response.headers.get('content-type') ?? '', /^application\/problem\+json/);
  const problem = (await response.json()) as Problem;
  assert.equal(problem.status, response.status);
  assert.equal(problem.trace_id, response.headers.get('x-request-id'));
  assert.equal(problem.type, `/problems/${problem.code.toLowerCase().replaceAll('_', '-')}`);
  const page = await fetch(new URL(problem.type, response.url));
  assert.deepEqual([page.status, ((await page.json()) as Problem).code], [200, problem.code]);
  return problem;
}
