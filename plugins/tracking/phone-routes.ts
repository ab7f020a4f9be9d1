import { Type } from 'typebox';
import type { HttpReply, HttpRequest, MqttMessage, PluginContext } from '#plugin-api';
import { refuse } from './errors.ts';
import type { Outcome } from './fix.ts';
import { osmAndParameters } from './formats/osmand.ts';
import { createGathering } from './gathering.ts';
import type { Intake } from './intake.ts';
import { isOwnId, toSpeaker, type Speaker } from './speaker.ts';

/** What an app adds to its query is no reason to refuse it. */
const open = { additionalProperties: true } as const;
const OwnTracksQuery = Type.Object({ u: Type.Optional(Type.Unknown()), d: Type.Optional(Type.Unknown()) }, open);
const OsmAndQuery = Type.Object(
  Object.fromEntries(['id', 'deviceid', ...osmAndParameters].map((name) => [name, Type.Optional(Type.Unknown())])),
  open,
);
const Text = Type.String();
const OwnTracksText = Type.String({
  examples: ['{"_type":"location","lat":40.7484,"lon":-73.9857,"tst":1798797600,"tid":"D1","acc":8}'],
});
const NoMessages = Type.Array(Type.Object({}), { maxItems: 0, description: 'Messages for the app: none' });
const Taken = Type.Object(
  { outcome: Type.Enum(['accepted', 'ignored', 'rejected']), reason: Type.Optional(Type.String({ maxLength: 40 })) },
  { additionalProperties: false },
);

/** As many at a time as leave connections to the database for the other ways in. */
const gatheringLimits = { itemsMax: 500, batchesMax: 2 } as const;

/** A budget that is spent gives at least one fix a second back. */
const budgetSeconds = 1;

type Query = Readonly<Record<string, unknown>>;
type Request = HttpRequest<unknown, Query>;
type Format = 'owntracks' | 'osmand';

interface Report {
  readonly format: Format;
  readonly payload: string;
  /** Whom the app says that it is, by hand of whoever set it up. */
  readonly ids: readonly unknown[];
  /** What to answer once it is settled; 200 only then. */
  readonly answer: (outcome: Outcome) => HttpReply;
}

/**
 * Phone apps by HTTP. A report becomes the message that the same device could have published, and goes the same way; the
 * answer comes after the commit. What is not taken for good is answered as the app needs it:
 *
 * | app | sends | keeps what is not answered with 2xx | a bad fix is answered |
 * |---|---|---|---|
 * | OwnTracks | POST | yes, and sends nothing else before it | 200 `[]`, the reason in `x-fix-rejected` |
 * | Traccar Client (form and JSON) | POST | yes, and sends nothing else before it | 200, the reason in header and body |
 * | OsmAnd, scripts | GET | no | 400 with what is wrong |
 *
 * 401, 403, 429 and 5xx are for what can be put right: the app keeps its queue, and nothing is lost when it is.
 */
export function registerPhoneRoutes(ctx: PluginContext, intake: Intake, now: () => number): void {
  const take = createTake(ctx, intake, now);
  ctx.http.post(
    '/tracking/owntracks',
    {
      summary: "OwnTracks in HTTP mode: a phone's messages, with its device credentials",
      roles: 'device',
      query: OwnTracksQuery,
      body: OwnTracksText,
      bodyAs: 'text',
      response: { 200: NoMessages },
    },
    (request) => {
      const { body, headers, query } = request;
      const ids = [headers['x-limit-u'], query['u']];
      return take(request, { format: 'owntracks', payload: body, ids, answer: answerOwnTracks });
    },
  );

  const osmAnd = { roles: 'device', credentialsInQuery: true, query: OsmAndQuery, response: { 200: Taken } } as const;
  ctx.http.get(
    '/tracking/osmand',
    { ...osmAnd, summary: "OsmAnd's online tracking: a position in the query, with device credentials" },
    (request) => take(request, { ...fromParameters(request.query), answer: answerStrictly }),
  );
  ctx.http.post(
    '/tracking/osmand',
    {
      ...osmAnd,
      summary: 'Traccar Client: a position in the query, as a form or as JSON, with device credentials',
      body: Text,
      bodyAs: 'text',
    },
    (request) => take(request, { ...readPost(request), answer: answerOsmAnd }),
  );
}

function createTake(ctx: PluginContext, intake: Intake, now: () => number) {
  const count = (format: Format, outcome: string): void =>
    ctx.metrics.increment('returnit_tracking_phone_requests_total', { format, outcome });

  const gather = createGathering<MqttMessage, Outcome>({
    handle: (messages) => intake.take(messages),
    ...gatheringLimits,
  });

  return async function take(request: Pick<Request, 'principal'>, report: Report): Promise<HttpReply> {
    const { format, payload, answer } = report;
    const speaker = toSpeaker(request.principal);
    if (speaker === undefined || !report.ids.every((id) => isOwnId(id, speaker))) {
      count(format, 'foreign');
      return refuse('DEVICE_FOREIGN', explainForeign(speaker));
    }
    // A friend was deleted in OwnTracks, or a Traccar Client asks whether somebody is there.
    const outcome = payload === '' ? ({ kind: 'ignored' } as const) : await takeOne(speaker, format, payload);
    const isOverBudget = outcome.kind === 'rejected' && outcome.reason === 'rate_exceeded';
    count(format, isOverBudget ? 'over_budget' : outcome.kind);
    if (!isOverBudget) return answer(outcome);
    const detail = `Cannot take the position: ${outcome.detail}`;
    return refuse('DEVICE_OVER_BUDGET', detail, { retryAfterSeconds: budgetSeconds });
  };

  function takeOne({ username, driverId, device }: Speaker, format: Format, payload: string): Promise<Outcome> {
    const topic = `${format}/${driverId}/${device}`;
    const receivedAt = new Date(now()).toISOString();
    return gather({ topic, payload, username, receivedAt, retained: false, duplicate: false });
  }
}

function explainForeign(speaker: Speaker | undefined): string {
  return speaker === undefined
    ? 'Cannot take a position with these credentials: they let it publish for no driver'
    : `Cannot take a position for another device: the id in the app must be '${speaker.username}' or '${speaker.driverId}'`;
}

type Reading = Pick<Report, 'format' | 'payload' | 'ids'>;

function readPost({ body, headers, query }: HttpRequest<unknown, Query, string>): Reading {
  const type = headers['content-type'] ?? '';
  if (body.trimStart().startsWith('{') || /^application\/json\b/i.test(type)) {
    return { format: 'osmand', payload: body, ids: [query['id'], query['deviceid'], deviceIdOf(body)] };
  }
  return fromParameters({ ...query, ...Object.fromEntries(new URLSearchParams(body)) });
}

/** Of the parameters only what is read goes on: access points and cells around a phone are nobody's business. */
function fromParameters(parameters: Query): Reading {
  const known = osmAndParameters.flatMap((name) => (name in parameters ? [[name, parameters[name]] as const] : []));
  return {
    format: 'osmand',
    payload: known.length === 0 ? '' : JSON.stringify(Object.fromEntries(known)),
    ids: [parameters['id'], parameters['deviceid']],
  };
}

function deviceIdOf(body: string): unknown {
  try {
    return (JSON.parse(body) as { device_id?: unknown } | null)?.device_id;
  } catch {
    // Whoever takes it says what is wrong with it.
    return undefined;
  }
}

const rejectedHeader = (outcome: Outcome): { readonly headers?: Readonly<Record<string, string>> } =>
  outcome.kind === 'rejected' ? { headers: { 'x-fix-rejected': outcome.reason } } : {};

function answerOwnTracks(outcome: Outcome): HttpReply {
  return { status: 200, body: [], ...rejectedHeader(outcome) };
}

function answerOsmAnd(outcome: Outcome): HttpReply {
  const reason = outcome.kind === 'rejected' ? { reason: outcome.reason } : {};
  return { status: 200, body: { outcome: outcome.kind, ...reason }, ...rejectedHeader(outcome) };
}

function answerStrictly(outcome: Outcome): HttpReply {
  if (outcome.kind !== 'rejected') return answerOsmAnd(outcome);
  const { problem } = refuse('FIX_REJECTED', `Cannot take the position: ${outcome.detail}`);
  return { problem: { ...problem, reason: outcome.reason } };
}
