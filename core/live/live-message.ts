/** What a client receives. `snapshot` and `change` carry a value; `resumed` says that the client has the newest one already. */
export interface LiveMessage {
  readonly type: 'snapshot' | 'change' | 'resumed' | 'closed' | 'refused';
  readonly channel: string;
  /** Of the value: what a client names when it comes back. */
  readonly version?: number;
  /** The value as JSON: made once, however many clients get it. */
  readonly json?: string;
  readonly reason?: string;
  /** Of a refusal: whether it may be different in a moment. */
  readonly code?: string;
}

/** The last that a client hears of a connection which the server ends: when to come back, and why. */
export interface ReconnectNotice {
  readonly afterMs: number;
  readonly reason: string;
}

/** The members of a message without its type, as JSON. The value is not made into text again. */
function membersOf({ channel, version, json, reason, code }: LiveMessage): string {
  return [
    `"channel":${JSON.stringify(channel)}`,
    ...(version === undefined ? [] : [`"version":${version}`]),
    ...(json === undefined ? [] : [`"data":${json}`]),
    ...(reason === undefined ? [] : [`"reason":${JSON.stringify(reason)}`]),
    ...(code === undefined ? [] : [`"code":"${code}"`]),
  ].join(',');
}

/** One WebSocket message. */
export function toSocketText(message: LiveMessage): string {
  return `{"type":"${message.type}",${membersOf(message)}}`;
}

/** One server-sent event; its id is the version, which a browser sends back as `Last-Event-ID`. */
export function toEventText(message: LiveMessage): string {
  const id = message.version === undefined ? '' : `id: ${message.version}\n`;
  return `${id}event: ${message.type}\ndata: {${membersOf(message)}}\n\n`;
}
