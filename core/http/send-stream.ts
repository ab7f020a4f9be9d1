import type { ServerResponse } from 'node:http';
import type { Config } from '#core/config/settings.ts';
import { AppError } from '#core/errors/app-error.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import type { HttpContext } from './http-context.ts';
import { OpenCounts } from './open-counts.ts';
import { RequestRefusal } from './request-refusal.ts';
import type { ResponseStream, RouteResponse } from './route.ts';
import { answerHeaders } from './send-answer.ts';

export interface StreamSenderOptions {
  readonly config: Pick<Config, 'httpStreamMaxBytes' | 'httpStreamStallMs' | 'httpStreamsPerPluginMax'>;
  readonly telemetry: Pick<Telemetry, 'metrics'>;
}

export type StreamedResponse = RouteResponse & { readonly stream: ResponseStream };
export type SendStream = (ctx: HttpContext, response: StreamedResponse) => Promise<void>;

const outcomes = ['complete', 'client_gone', 'client_slow', 'plugin_failed', 'too_large'] as const;
type Outcome = (typeof outcomes)[number];

/** Why a stream ended before it was complete. */
class StreamEnd extends AppError {
  readonly outcome: Outcome;
  constructor(outcome: Outcome, error: AppError) {
    super(error.code, error.message, { cause: error.cause });
    this.outcome = outcome;
  }
}

/**
 * Sends an answer piece by piece. A piece is asked for when the one before it was given to the socket, and given to the
 * socket when the client has taken what came before: between plugin and client there are two pieces and the socket's
 * buffer, however large the answer and however slow the client.
 *
 * Until its first piece has come it can still be an error. What fails later cuts the connection: the body has no last
 * chunk (RFC 9112 §8), so that nobody takes it for complete.
 */
export function createStreamSender({ config, telemetry }: StreamSenderOptions): SendStream {
  const counts = new OpenCounts({
    open: telemetry.metrics.gauge('returnit_http_streams_open'),
    ends: telemetry.metrics.counter('returnit_http_streams_total'),
    outcomes: [...outcomes, 'refused'],
  });
  const bytes = telemetry.metrics.counter('returnit_http_stream_bytes_total');

  return async (ctx, response) => {
    const plugin = ctx.state.route.owner.name;
    if (counts.of(plugin) >= config.httpStreamsPerPluginMax) {
      response.stream.end();
      counts.refused(plugin, 'refused');
      const what = `plugin "${plugin}" has ${config.httpStreamsPerPluginMax} streams open`;
      throw new RequestRefusal('OVERLOADED', `Cannot stream the answer: ${what}`, { headers: { 'retry-after': '1' } });
    }
    counts.opened(plugin);
    let outcome: Outcome = 'complete';
    try {
      await send(ctx, response, { ...config, onSent: (sent) => bytes.inc({ plugin }, sent) });
    } catch (error) {
      outcome = toOutcome(error);
      throw error;
    } finally {
      response.stream.end();
      counts.ended(plugin, outcome);
    }
  };
}

function toOutcome(error: unknown): Outcome {
  if (error instanceof StreamEnd) return error.outcome;
  return error instanceof AppError && error.code === 'CANCELLED' ? 'client_gone' : 'plugin_failed';
}

interface SendLimits extends Pick<Config, 'httpStreamMaxBytes' | 'httpStreamStallMs'> {
  readonly onSent: (bytes: number) => void;
}

async function send(ctx: HttpContext, response: StreamedResponse, limits: SendLimits): Promise<void> {
  const { res } = ctx;
  const { stream } = response;
  let next = ask(stream);
  let piece = await next;
  // Nothing yet: it can still be an error.
  while (piece?.length === 0) piece = await (next = ask(stream));
  if (!ctx.writable) throw gone();
  ctx.respond = false;
  ctx.state.streamBeganAtMs = performance.now();
  ctx.state.sentBytes = 0;
  res.writeHead(response.status, {
    ...answerHeaders(ctx, response.headers),
    'content-type': response.contentType ?? 'application/octet-stream',
  });
  if (ctx.method === 'HEAD') {
    res.end();
    return;
  }
  let sent = 0;
  while (piece !== undefined) {
    // The plugin makes the next piece while the client reads this one.
    next = ask(stream);
    const bytes = typeof piece === 'string' ? Buffer.from(piece) : piece;
    sent += bytes.length;
    if (sent > limits.httpStreamMaxBytes) throw tooLarge(limits.httpStreamMaxBytes);
    limits.onSent(bytes.length);
    ctx.state.sentBytes = sent;
    if (bytes.length > 0 && !res.write(bytes) && !mayRunAhead(ctx)) await taken(res, limits.httpStreamStallMs);
    piece = await next;
  }
  const finished = new Promise<void>((resolve) => void res.end(resolve));
  await orStalled(finished, res, limits.httpStreamStallMs);
}

/** Verdicts of HTTP_LINES_MAX lines. */
const aheadMaxBytes = 2_097_152;

/**
 * A client that reads the answer only after it has sent its request would wait for us, and we for it: of an answer that
 * is given while lines arrive, so much is kept for it.
 */
function mayRunAhead({ req, res, state }: HttpContext): boolean {
  return state.upload !== undefined && !req.complete && res.writableLength < aheadMaxBytes;
}

/** Its failure is thrown where the piece is awaited; until then it must not count as unhandled. */
function ask(stream: ResponseStream): Promise<string | Uint8Array | undefined> {
  const piece = stream.next();
  piece.catch(() => undefined);
  return piece;
}

function taken(res: ServerResponse, stallMs: number): Promise<void> {
  return orStalled(new Promise((resolve) => void res.once('drain', resolve)), res, stallMs);
}

/** @throws {AppError} when the client goes away or takes nothing for too long */
async function orStalled(progress: Promise<void>, res: ServerResponse, stallMs: number): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  const onClose = (): void => {
    if (!res.writableFinished) reject(gone());
  };
  const timer = setTimeout(() => reject(stalled(stallMs)), stallMs);
  res.once('close', onClose);
  try {
    if (res.destroyed) onClose();
    await Promise.race([progress, promise]);
  } finally {
    clearTimeout(timer);
    res.off('close', onClose);
  }
}

const gone = (): StreamEnd =>
  new StreamEnd('client_gone', new AppError('CANCELLED', 'Cannot finish the stream: the client went away'));
const stalled = (stallMs: number): StreamEnd =>
  new StreamEnd(
    'client_slow',
    new AppError('TIMEOUT', `Cannot finish the stream: the client took nothing for ${stallMs} ms`),
  );
const tooLarge = (bytesMax: number): StreamEnd =>
  new StreamEnd(
    'too_large',
    new AppError('INVALID_RESPONSE', `Cannot finish the stream: it has more than ${bytesMax} bytes`),
  );
