import type { Problem } from '#plugin-api';
import { AppError } from '#core/errors/app-error.ts';
import { problemContentType, problemType } from '#core/errors/problem-type.ts';
import type { ProblemDetails } from './problem-details.ts';
import type { ResponseStream, Route, RouteRequest, RouteResponse } from './route.ts';
import { isBinary } from './streamed-type.ts';

const allowedHeaders = new Set([
  'location',
  'content-location',
  'etag',
  'last-modified',
  'cache-control',
  'retry-after',
  'content-disposition',
  'content-language',
  'vary',
  'link',
]);
/** `x-…` is a plugin's own, except where browsers and proxies take orders by it. */
const ownHeader =
  /^x-(?!accel|sendfile|forwarded|content-type-options|frame-options|xss|request-id|real-ip)[a-z0-9-]{1,60}$/;
const headerValue = /^[\t\x20-\x7e\x80-\xff]{0,2048}$/;
const headersMax = 20;
const problemCode = /^[A-Z][A-Z0-9_]{1,63}$/;
/** Codes of one route that are remembered for their pages. */
const problemsMax = 50;
const withoutBody = new Set([204, 205, 304]);

/** The stream that the process knows by this number. */
export type OpenStream = (stream: number) => ResponseStream;

/**
 * A handler's reply as it goes out. Nothing that the plugin says is sent unchecked: status, headers and body must be what
 * the route declared.
 *
 * @throws {AppError} INVALID_RESPONSE, whose message names the place and never the data
 */
export function toRouteResponse(
  reply: unknown,
  route: Route,
  { request, openStream }: { readonly request: RouteRequest; readonly openStream?: OpenStream },
): RouteResponse {
  if (!isRecord(reply)) return refuse(route, 'it must be an object with "status" or "problem"');
  if (reply['problem'] !== undefined) return toProblemResponse(reply, route, request);
  if (reply['stream'] !== undefined) return toStreamResponse(reply, route, openStream);
  const { status, body, headers } = reply;
  const check = typeof status === 'number' ? route.response.get(status) : undefined;
  if (typeof status !== 'number' || check === undefined) {
    return refuse(
      route,
      `its status must be one of ${[...route.response.keys()].join(', ')}: it is ${JSON.stringify(status)?.slice(0, 40)}`,
    );
  }
  const sent = headers === undefined ? {} : { headers: checkHeaders(headers, route) };
  if (withoutBody.has(status)) {
    if (body !== undefined && body !== null) refuse(route, `status ${status} has no body`);
    return { status, ...sent };
  }
  if (!check.matches(body)) {
    const places = check.explain(body).map((error) => error.pointer);
    refuse(
      route,
      `its body of status ${status} does not match the schema at ${[...new Set(places)].slice(0, 5).join(', ')}`,
    );
  }
  return { status, text: JSON.stringify(body), ...sent };
}

/** Its pieces are of the plugin's own making: they match no schema, but the route must have said what they are. */
function toStreamResponse(
  { status, stream, contentType, headers }: Record<string, unknown>,
  route: Route,
  openStream: OpenStream | undefined,
): RouteResponse {
  if (typeof stream !== 'number' || openStream === undefined) {
    return refuse(route, 'it is a stream, and the route has declared no "streams"');
  }
  const opened = openStream(stream);
  try {
    if (status !== 200 || !route.response.has(status)) refuse(route, 'the status of a stream must be a declared 200');
    if (typeof contentType !== 'string' || !route.streams.includes(contentType)) {
      refuse(route, `the content type of its stream must be one of ${route.streams.join(', ')}`);
    }
    const sent = headers === undefined ? {} : { headers: checkHeaders(headers, route) };
    const type = isBinary(contentType) ? contentType : `${contentType}; charset=utf-8`;
    return { status, stream: opened, contentType: type, ...sent };
  } catch (error) {
    opened.end();
    throw error;
  }
}

function toProblemResponse(reply: Record<string, unknown>, route: Route, request: RouteRequest): RouteResponse {
  const { problem: value, headers } = reply;
  if (!isRecord(value)) return refuse(route, '"problem" must be an object');
  const { status, code, title, detail, ...extensions } = value as Partial<Problem>;
  if (typeof status !== 'number' || !Number.isInteger(status) || status < 400 || status > 599) {
    return refuse(
      route,
      `"problem.status" must be a whole number from 400 to 599: it is ${JSON.stringify(status)?.slice(0, 40)}`,
    );
  }
  if (typeof code !== 'string' || !problemCode.test(code))
    return refuse(route, '"problem.code" must be such as "ORDER_NOT_FOUND"');
  if (typeof title !== 'string' || title.length > 200)
    return refuse(route, '"problem.title" must be a text of at most 200 characters');
  if (detail !== undefined && (typeof detail !== 'string' || detail.length > 2000))
    return refuse(route, '"problem.detail" must be a text of at most 2000 characters');
  const sent = headers === undefined ? {} : { headers: checkHeaders(headers, route) };
  if (route.problems.size < problemsMax) route.problems.set(code, { status, title });
  const problem: ProblemDetails = {
    ...extensions,
    type: problemType(code),
    title,
    status,
    ...(detail === undefined ? {} : { detail }),
    instance: request.path,
    code,
    trace_id: request.id,
  };
  return { status, text: JSON.stringify(problem), contentType: problemContentType, ...sent };
}

function checkHeaders(headers: unknown, route: Route): Record<string, string> {
  if (!isRecord(headers)) return refuse(route, '"headers" must be an object');
  const entries = Object.entries(headers);
  if (entries.length > headersMax)
    refuse(route, `it must have at most ${headersMax} headers: it has ${entries.length}`);
  return Object.fromEntries(
    entries.map(([name, value]) => {
      const lower = name.toLowerCase();
      if (!allowedHeaders.has(lower) && !ownHeader.test(lower))
        refuse(route, `header "${name.slice(0, 60)}" must be one of ${[...allowedHeaders].join(', ')}, or x-…`);
      if (typeof value !== 'string' || !headerValue.test(value))
        return refuse(route, `header "${lower}" must be one line of at most 2048 characters`);
      return [lower, value];
    }),
  );
}

function refuse(route: Route, what: string): never {
  throw new AppError(
    'INVALID_RESPONSE',
    `Cannot send the reply of plugin "${route.owner.name}" to "${route.name}": ${what}`,
    {
      details: { plugin: route.owner.name, route: route.name },
    },
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
