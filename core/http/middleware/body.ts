import { hash } from 'node:crypto';
import { getRawBody } from 'raw-body';
import type { Config } from '#core/config/settings.ts';
import { AppError } from '#core/errors/app-error.ts';
import { createUploads, type UploadOptions } from '../body/uploads.ts';
import type { HttpContext, HttpStep } from '../http-context.ts';
import { parseJson } from '../json-text.ts';
import { RequestRefusal } from '../request-refusal.ts';
import type { Route } from '../route.ts';

export interface BodyOptions extends UploadOptions {
  readonly config: UploadOptions['config'] & Pick<Config, 'httpBodyMaxBytes'>;
}

type ReadLimits = Pick<Config, 'httpBodyMaxBytes' | 'httpRequestTimeoutMs'>;

/** Of a text, too: what is not UTF-8 becomes U+FFFD, and whoever reads it finds the mistake. */
const lenientDecoder = new TextDecoder('utf-8');
const jsonType = /^application\/(?:json|[\w.-]+\+json)(?:\s*;\s*charset\s*=\s*"?utf-8"?)?\s*$/i;

/** Reads the body of a route that has one; refuses a body where none is taken. Nothing is read before it is known to be wanted. */
export function body(options: BodyOptions): HttpStep {
  const { config } = options;
  const openUpload = createUploads(options);
  return (ctx) => {
    const { route } = ctx.state;
    const { headers } = ctx.req;
    const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
    if (route.upload !== undefined) {
      if (!hasBody) throw missing(route, route.upload.contentTypes.join(' or '));
      assertMediaType(ctx, route.upload.contentTypes);
      assertNotCompressed(ctx);
      const { upload } = route;
      return () => {
        ctx.state.upload = openUpload(ctx, upload);
        return undefined;
      };
    }
    if (route.body === undefined) {
      if (hasBody) throw new RequestRefusal('MALFORMED_REQUEST', `Cannot accept a body: ${route.name} takes none`);
      return undefined;
    }
    if (route.bodyAs === 'text') {
      ctx.state.body = '';
      if (!hasBody) return undefined;
      assertNotCompressed(ctx);
      return () => takeText(ctx, config);
    }
    if (!hasBody) throw missing(route, 'JSON');
    assertReadable(ctx);
    return () => take(ctx, config);
  };
}

function missing(route: Route, what: string): RequestRefusal {
  return new RequestRefusal('VALIDATION_FAILED', `Cannot ${route.name} without a body: it must be ${what}`, {
    errors: [{ in: 'body', pointer: '#', detail: `is missing: it must be ${what}` }],
  });
}

function assertMediaType(ctx: HttpContext, allowed: readonly string[]): void {
  const type = ctx.req.headers['content-type'];
  if (type !== undefined && allowed.includes(type.split(';', 1)[0]?.trim().toLowerCase() ?? '')) return;
  const given = type === undefined ? 'it has none' : `it is "${type.slice(0, 100)}"`;
  const message = `Cannot read the body: its content type must be one of ${allowed.join(', ')}: ${given}`;
  throw new RequestRefusal('UNSUPPORTED_MEDIA_TYPE', message, { headers: { accept: allowed.join(', ') } });
}

async function take(ctx: HttpContext, options: ReadLimits): Promise<undefined> {
  ctx.state.body = parseJson(await read(ctx, options));
}

async function takeText(ctx: HttpContext, options: ReadLimits): Promise<undefined> {
  ctx.state.body = lenientDecoder.decode(await read(ctx, options));
}

function assertReadable(ctx: HttpContext): void {
  const type = ctx.req.headers['content-type'];
  if (type === undefined || !jsonType.test(type)) {
    const given = type === undefined ? 'it has none' : `it is "${type.slice(0, 100)}"`;
    throw new RequestRefusal(
      'UNSUPPORTED_MEDIA_TYPE',
      `Cannot read the body: its content type must be "application/json" in UTF-8: ${given}`,
      {
        headers: { accept: 'application/json' },
      },
    );
  }
  assertNotCompressed(ctx);
}

function assertNotCompressed(ctx: HttpContext): void {
  const encoding = ctx.req.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    throw new RequestRefusal(
      'UNSUPPORTED_MEDIA_TYPE',
      `Cannot read the body: it must not be compressed: its content encoding is "${encoding.slice(0, 40)}"`,
      {
        headers: { 'accept-encoding': 'identity' },
      },
    );
  }
}

async function read(ctx: HttpContext, options: ReadLimits): Promise<Buffer> {
  const { httpBodyMaxBytes: limit, httpRequestTimeoutMs: timeoutMs } = options;
  // Ending the stream is what ends a read that waits for bytes that do not come.
  const late = new AppError('REQUEST_TIMEOUT', `Cannot read the body: it must arrive within ${timeoutMs} ms`);
  const { promise: lateness, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(late), timeoutMs);
  try {
    const bytes = await Promise.race([
      getRawBody(ctx.req, { limit, length: ctx.req.headers['content-length'] ?? null }),
      lateness,
    ]);
    if (ctx.state.idempotencyKey !== undefined) ctx.state.bodyHash = hash('sha256', bytes, 'base64');
    return bytes;
  } catch (error) {
    if (error === late) throw error;
    throw toRefusal(error, limit);
  } finally {
    clearTimeout(timer);
  }
}

function toRefusal(error: unknown, limit: number): AppError {
  const { type } = error as { type?: string };
  if (type === 'entity.too.large')
    return new AppError('BODY_TOO_LARGE', `Cannot accept the body: it must have at most ${limit} bytes`, {
      cause: error,
    });
  if (type === 'request.aborted')
    return new AppError('CANCELLED', 'Cannot read the body: the client went away', { cause: error });
  return new AppError('MALFORMED_REQUEST', 'Cannot read the body: it does not have the length that was announced', {
    cause: error,
  });
}
