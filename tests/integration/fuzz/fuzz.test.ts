/**
 * Every route with requests made from its own description. `RETURNIT_FUZZ_REQUESTS` says how many a route (2,000 by hand),
 * `RETURNIT_FUZZ_SEED` repeats a run, `RETURNIT_FUZZ_ROUTE` narrows it to routes whose name holds this.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { request as sendRequest } from 'node:http';
import { text as readText } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import type { Role } from '#plugin-api';
import { errorCodes } from '#core/errors/codes.ts';
import { book, connectDriver, near, orderReached, placeOf } from '../../support/journey.ts';
import { createOpenApiCheck, type OpenApi, type OpenApiCheck } from '../../support/openapi-check.ts';
import { patient } from '../../support/patient.ts';
import { startPlatform, type TestPlatform } from '../../support/platform.ts';
import { assertNoInternals, assertSound } from './assert-answer.ts';
import { fuzzRequest, type FuzzRequest } from './fuzz-request.ts';

const { RETURNIT_FUZZ_REQUESTS: wanted, RETURNIT_FUZZ_SEED: given, RETURNIT_FUZZ_ROUTE: part = '' } = process.env;
const numRuns = Number(wanted ?? 15);
const seed = Number(given ?? Date.now() % 2 ** 31);
const subjects: Readonly<Record<Role, string>> = {
  customer: 'fuzz-customer',
  partner: 'fuzz-partner',
  driver: 'fuzz-driver',
  ops: 'fuzz-ops',
};
/** At half a second a request on a busy machine; what is not done by then has not been tried. */
const routeTimeoutMs = 60_000 + numRuns * 500;
const routesMax = 200;
const timeout = 120_000 + routesMax * routeTimeoutMs;
/** From so many on at least one request of each route must get past the core's own checks. */
const reachingRuns = 500;
/** Without it there are no webhooks. */
const webhookKey = 'WEBHOOKS_SECRET_KEY';
/** Ids remembered of each name. */
const knownMax = 50;

interface Outcome {
  readonly status: number;
  /** The handler has answered, and not the core in its place. */
  readonly isReached: boolean;
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

describe(`every route under ${numRuns} requests, seed ${seed}`, { timeout }, () => {
  let platform: TestPlatform;
  let document: OpenApi;
  let check: OpenApiCheck;
  let tokens: Readonly<Record<string, string>>;
  const known = new Map<string, string[]>();
  let phones = 0;

  before(async () => {
    process.env[webhookKey] = randomBytes(32).toString('base64');
    const limits = { httpReadsPerMinute: 0, httpWritesPerMinute: 0, httpAnonymousPerMinute: 0 };
    platform = await startPlatform({ config: { ...patient, ...limits, partnerRequestsPerDay: 1_000_000_000 } });
    for (const { name } of platform.app.plugins()) await platform.reached(name, 'ready');
    document = await platform.openApi();
    check = createOpenApiCheck(document);
    const roles = Object.entries(subjects) as [Role, string][];
    const entries = roles.map(async ([role, subject]) => [role, await platform.token(role, subject, 86_400)] as const);
    tokens = Object.fromEntries(await Promise.all(entries));
    await makeThings();
  });
  after(async () => {
    await platform?.stop();
    Reflect.deleteProperty(process.env, webhookKey);
  });

  /** Something of each kind that there is; what answers show of others is found by itself. */
  async function makeThings(): Promise<void> {
    const phone = await connectDriver(platform, subjects.driver);
    await phone.publish(near(placeOf(1), 2));
    await phone.client.publishAsync(`drivers/${phone.driverId}/location`, 'no position', { qos: 1 });
    const partner = await platform.as('partner', subjects.partner);
    const order = await book(partner, placeOf(1), { customerId: subjects.customer });
    learn(await orderReached(partner, order.orderId, 'assigned'));
    await phone.close();
  }

  /** The header of a new driver's phone: of those that there are, a request may have taken the credentials away. */
  async function newDevice(driverId: string): Promise<string> {
    const phone = await connectDriver(platform, driverId);
    await phone.close();
    return `Basic ${Buffer.from(`${phone.username}:${phone.password}`).toString('base64')}`;
  }

  /** Remembers every id in an answer, by the name of its member. */
  function learn(value: unknown): void {
    if (typeof value !== 'object' || value === null) return;
    for (const [name, member] of Object.entries(value)) {
      if (typeof member !== 'string') learn(member);
      else if (/^(?:id|code|\w+Id)$/.test(name)) remember(name, member);
    }
  }

  function remember(name: string, id: string): void {
    const ids = known.get(name) ?? [];
    known.set(name, ids);
    if (!ids.includes(id)) ids.push(id);
    // The first ones are those that the callers have to do with.
    if (ids.length > knownMax) ids.splice(knownMax / 2, 1);
  }

  /** Mostly who may; sometimes nobody, or somebody who may not. */
  async function callersOf(roles: readonly string[]): Promise<readonly (string | undefined)[]> {
    if (roles.includes('device')) {
      const device = await newDevice(`fuzz-phone-${(phones += 1)}`);
      return [device, device, device, undefined, `Bearer ${tokens['ops']}`];
    }
    const admitted = (roles.includes('public') ? Object.keys(tokens) : roles).map((role) => `Bearer ${tokens[role]}`);
    return [
      ...admitted,
      ...admitted,
      ...admitted,
      undefined,
      'Bearer x',
      `Bearer ${tokens['customer']}`,
      `Bearer ${tokens['driver']}`,
    ];
  }

  async function send(
    verb: string,
    { path, headers, body, encoding }: FuzzRequest,
    authorization: string | undefined,
  ): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const bytes = body === undefined ? undefined : Buffer.from(body, encoding);
    // Without its length, what follows a GET would be the next request.
    const length = bytes === undefined ? {} : { 'content-length': String(bytes.length) };
    const sent = sendRequest(
      `${platform.app.addresses.api}/`,
      // As it is: a URL would be made tidy.
      {
        method: verb,
        path,
        headers: { ...headers, ...length, ...(authorization === undefined ? {} : { authorization }) },
      },
      (response) => {
        const status = response.statusCode ?? 0;
        const received = new Headers(Object.entries(response.headers).map(([name, value]) => [name, String(value)]));
        readText(response).then((text) => resolve({ status, headers: received, text }), reject);
      },
    );
    sent.on('error', reject);
    sent.end(bytes);
    return promise;
  }

  async function tryOne(
    verb: string,
    template: string,
    request: FuzzRequest,
    authorization: string | undefined,
  ): Promise<Outcome> {
    const { status, headers, text } = await send(verb, request, authorization);
    const contentType = headers.get('content-type');
    const body: unknown = isJson(contentType) ? JSON.parse(text) : text;
    const answer = { verb, path: template, status, contentType, body };
    assertSound(answer, headers);
    // A path that is not this route's any more (`..`, say) is no operation at all.
    if (status !== 404 && status !== 405) check.check(answer);
    const isOurText =
      template.startsWith('/docs') || template.startsWith('/openapi') || template.startsWith('/live-client');
    if (!isOurText) assertNoInternals(text, JSON.stringify(request) + decodeSafely(request.path));
    if (status < 300) learn(body);
    const { code } = (status < 400 ? {} : body) as { readonly code?: string };
    return { status, isReached: code === undefined || !Object.hasOwn(errorCodes, code) };
  }

  it(
    'answers within its description, shows nothing of the inside, and keeps every plugin alive',
    { timeout },
    async (t) => {
      const operations = Object.entries(document.paths).flatMap(([template, verbs]) =>
        Object.entries(verbs).map(([verb, operation]) => ({ verb: verb.toUpperCase(), template, operation })),
      );
      for (const { verb, template, operation } of operations.filter((each) =>
        `${each.verb} ${each.template}`.includes(part),
      )) {
        await t.test(`${verb} ${template}`, async (route) => {
          const logged = platform.logs.length;
          const callers = await callersOf(operation['x-roles']);
          const requests = fuzzRequest({ template, operation, callers: callers.length, known });
          const outcomes: Outcome[] = [];
          await fc.assert(
            fc.asyncProperty(requests, async (request) => {
              outcomes.push(await tryOne(verb, template, request, callers[request.caller]));
            }),
            { numRuns, seed, interruptAfterTimeLimit: routeTimeoutMs, markInterruptAsFailure: true },
          );
          assertUnharmed(logged);
          const reached = outcomes.filter(({ isReached }) => isReached).length;
          route.diagnostic(
            `${outcomes.length} requests, ${reached} of them answered by the handler: ${counts(outcomes)}`,
          );
          const isOfPlugin = !operation.tags.includes('core');
          assert.ok(reached > 0 || numRuns < reachingRuns || !isOfPlugin, 'no request has reached the handler');
        });
      }
    },
  );

  /** @param logged lines before this route's requests */
  function assertUnharmed(logged: number): void {
    const bad = platform.logs
      .slice(logged)
      .filter(
        ({ level, msg }) => level === 'error' || level === 'fatal' || /unhandled|^plugin \w+ died of /i.test(msg),
      );
    assert.deepEqual(bad, [], 'the log has errors');
    for (const { name, state } of platform.app.plugins()) assert.equal(state, 'ready', name);
  }
});

/** `200: 31, 422: 9` */
function counts(outcomes: readonly Outcome[]): string {
  const groups = Map.groupBy(outcomes, ({ status }) => status);
  return [...groups]
    .toSorted(([one], [other]) => one - other)
    .map(([status, { length }]) => `${status}: ${length}`)
    .join(', ');
}

/** One text of JSON; streams of several, or of another type, are text. */
function isJson(contentType: string | null): boolean {
  return /^application\/(?:problem\+)?json\b/.test(contentType ?? '');
}

function decodeSafely(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // Its encoding is broken on purpose.
  }
}
