import type { Config } from '#core/config/settings.ts';
import { AppError } from '#core/errors/app-error.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import type { HttpContext } from '../http-context.ts';
import type { Budgets } from '../limits/budgets.ts';
import { OpenCounts } from '../open-counts.ts';
import { RequestRefusal } from '../request-refusal.ts';
import type { UploadForm } from '../route.ts';
import { bodyOutcomes, BodyReader } from './body-reader.ts';
import type { BodyPieces, BodyStream } from './body-stream.ts';
import { ByteBody } from './byte-body.ts';
import { LineBody, toLineProblem, type LineLimits } from './line-body.ts';

export interface UploadOptions {
  readonly config: Pick<
    Config,
    | 'httpRequestTimeoutMs'
    | 'httpUploadsPerPluginMax'
    | 'httpBodyStallMs'
    | 'httpLinesMax'
    | 'httpLinesMaxBytes'
    | 'httpLineMaxBytes'
    | 'httpLinesTimeoutMs'
    | 'pluginFrameMaxBytes'
  >;
  readonly telemetry: Pick<Telemetry, 'metrics'>;
  /** @default partners have no budgets */
  readonly budgets?: Budgets | undefined;
}

/** @throws {RequestRefusal} OVERLOADED; {AppError} BODY_TOO_LARGE where the length that is announced is too much */
export type OpenUpload = (ctx: HttpContext, form: UploadForm) => BodyStream;

/** A socket gives no more at a time. */
const pieceBytesMax = 131_072;
/**
 * How much larger lines may become as JSON in a frame: `1e20`, written out, is five times as long. The rest is for what
 * stands around them.
 */
const frameParts = 8;

/** Bodies that are read while the request is answered: so many of a plugin at the same time, each with its limits. */
export function createUploads({ config, telemetry, budgets }: UploadOptions): OpenUpload {
  const counts = new OpenCounts({
    open: telemetry.metrics.gauge('returnit_http_uploads_open'),
    ends: telemetry.metrics.counter('returnit_http_uploads_total'),
    outcomes: [...bodyOutcomes, 'refused'],
  });
  const bytes = telemetry.metrics.counter('returnit_http_upload_bytes_total');
  const partBytes = Math.max(1, Math.floor(Math.min(pieceBytesMax, config.pluginFrameMaxBytes / frameParts)));

  function assertRoom(plugin: string): void {
    if (counts.of(plugin) < config.httpUploadsPerPluginMax) return;
    counts.refused(plugin, 'refused');
    const what = `plugin "${plugin}" is taking ${config.httpUploadsPerPluginMax} already`;
    throw new RequestRefusal('OVERLOADED', `Cannot take the body: ${what}`, { headers: { 'retry-after': '1' } });
  }

  return (ctx, form) => {
    const plugin = ctx.state.route.owner.name;
    const bytesMax = form.as === 'lines' ? config.httpLinesMaxBytes : form.bytesMax;
    if (Number(ctx.req.headers['content-length'] ?? 0) > bytesMax) {
      counts.refused(plugin, 'too_large');
      throw new AppError('BODY_TOO_LARGE', `Cannot accept the body: it must have at most ${bytesMax} bytes`);
    }
    assertRoom(plugin);
    counts.opened(plugin);
    const reader = new BodyReader(ctx.req, {
      bytesMax,
      timeoutMs: form.as === 'lines' ? config.httpLinesTimeoutMs : config.httpRequestTimeoutMs,
      stallMs: config.httpBodyStallMs,
      onBytes: (received) => bytes.inc({ plugin }, received),
      onEnd: (outcome) => counts.ended(plugin, outcome),
    });
    return createBodyStream(reader, toPieces(reader, form, lineRefusal(ctx, budgets)));
  };

  function toPieces(reader: BodyReader, form: UploadForm, refuse: LineLimits['refuse']): BodyPieces {
    if (form.as === 'bytes') return new ByteBody(reader, partBytes);
    return new LineBody(reader, form.check, {
      linesMax: config.httpLinesMax,
      lineBytesMax: Math.min(config.httpLineMaxBytes, partBytes),
      pieceBytesMax: partBytes,
      refuse,
    });
  }
}

/** Each line is one of the partner's budget of the day: whether it was done before is known later, and by the plugin. */
function lineRefusal({ state }: HttpContext, budgets: Budgets | undefined): LineLimits['refuse'] {
  const {
    principal,
    route: { budget },
  } = state;
  if (budgets === undefined || budget === undefined || principal.role !== 'partner') return undefined;
  return async () => {
    try {
      await budgets.spend(principal.id, budget);
      return undefined;
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'DAILY_BUDGET_SPENT') throw error;
      return toLineProblem(error.code, error.message);
    }
  };
}

function createBodyStream(reader: BodyReader, pieces: BodyPieces): BodyStream {
  let listeners: (() => void)[] = [];
  return {
    next: () => pieces.next(),
    get failure() {
      return reader.failure;
    },
    end() {
      reader.end();
      for (const listener of listeners) listener();
      listeners = [];
    },
    onEnd: (listener) => void listeners.push(listener),
  };
}
