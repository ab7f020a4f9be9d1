/** What a client asks for in one WebSocket message. */
export interface SocketRequest {
  readonly watch: readonly { readonly channel: string; readonly since?: number }[];
  readonly unwatch: readonly string[];
  readonly ping?: number;
}

/** For who sends something else; a close frame's reason has room for 123 bytes. */
export const socketRequestForm =
  'send {"watch": "<channel>", "since"?: n}, {"resume": {"<channel>": n}}, {"unwatch": "<channel>"} or {"ping": n}';

const isVersion = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);

/** Undefined when it is none of the forms. */
export function parseSocketRequest(text: string): SocketRequest | undefined {
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    // The client is told what would be right.
    return undefined;
  }
  if (typeof message !== 'object' || message === null) return undefined;
  const { watch, since, resume, unwatch, ping } = message as Readonly<Record<string, unknown>>;
  if (typeof watch === 'string' && (since === undefined || isVersion(since))) {
    return { watch: [{ channel: watch, ...(since === undefined ? {} : { since }) }], unwatch: [] };
  }
  if (typeof resume === 'object' && resume !== null && !Array.isArray(resume)) return toResume(resume);
  if (typeof unwatch === 'string') return { watch: [], unwatch: [unwatch] };
  return isVersion(ping) ? { watch: [], unwatch: [], ping } : undefined;
}

/** `null` for a channel of which the client has nothing yet. */
function toResume(resume: object): SocketRequest | undefined {
  const watch: { channel: string; since?: number }[] = [];
  for (const [channel, since] of Object.entries(resume)) {
    if (since !== null && !isVersion(since)) return undefined;
    watch.push(since === null ? { channel } : { channel, since });
  }
  return { watch, unwatch: [] };
}
