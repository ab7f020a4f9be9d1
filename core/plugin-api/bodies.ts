/** Part of the plugin API: what a request's body is to its handler. */
import type { Problem } from './problem.ts';

export type BodyForm = 'json' | 'text' | 'bytes' | 'lines';

/** A line of NDJSON, counted from 1, blank ones too: what it says, or why it cannot be taken. */
export type Line<Value = unknown> =
  | { readonly line: number; readonly value: Value }
  | { readonly line: number; readonly problem: Problem };

/**
 * The lines of a body while they arrive, to be read once. They are fetched in batches, and no faster than they are read:
 * the client is held up meanwhile. Reading throws an error with the `code` BODY_TOO_LARGE (HTTP_LINES_MAX,
 * HTTP_LINES_MAX_BYTES), REQUEST_TIMEOUT (HTTP_BODY_STALL_MS, HTTP_LINES_TIMEOUT_MS) or CANCELLED (the client is gone)
 * where the body cannot be read to its end.
 */
export type Lines<Value = unknown> = AsyncIterable<Line<Value>>;

export type BodyOf<Form extends BodyForm, Value> = Form extends 'bytes'
  ? Uint8Array
  : Form extends 'lines'
    ? Lines<Value>
    : Value;
