/**
 * Follows live channels from a browser: by WebSocket, or by server-sent events where those do not get through.
 * It comes back by itself, at growing intervals, and goes on where it was: nothing is shown twice, and nothing goes back.
 *
 * @typedef {object} LiveClientOptions
 * @property {() => string | Promise<string>} token asked for each connection: a principal's token, or a share link's
 * @property {string} [url] of the API; default: where this page came from
 * @property {'auto' | 'ws' | 'sse'} [transport] default: auto
 * @property {(state: 'idle' | 'connecting' | 'open' | 'waiting' | 'stopped') => void} [onState]
 * @property {number} [delayMs] the longest first pause before coming back; it doubles up to `delayMaxMs`
 * @property {number} [delayMaxMs]
 * @property {number} [silenceMs] without a word for so long a connection is taken for dead
 *
 * @typedef {object} Watch
 * @property {(data: object, info: { channel: string, version?: number, type: 'snapshot' | 'change' }) => void} onValue
 * @property {(reason: string) => void} [onClosed] the channel is over, or may not be watched: it is not asked for again
 */
const defaults = { transport: 'auto', delayMs: 500, delayMaxMs: 30_000, silenceMs: 40_000 };
/** Of one channel, and perhaps not in a moment: who decides restarts, or there are too many. */
const passing = new Set(['PLUGIN_UNAVAILABLE', 'OVERLOADED']);
const refusals = new Set([...passing, 'FORBIDDEN', 'NOT_FOUND']);

/** @param {LiveClientOptions} options */
export function createLiveClient(options) {
  const client = new LiveClient(options);
  return {
    /** @param {string} channel @param {Watch} watch @returns {() => void} stops watching */
    watch: (channel, watch) => client.watch(channel, watch),
    stop: () => client.stop(),
    transport: () => client.transport,
  };
}

class LiveClient {
  #watches = new Map();
  #options;
  #url;
  #state = 'idle';
  /** Since a value came: of connections, and those before any has opened. */
  #failures = 0;
  #tries = 0;
  #hasOpened = false;
  /** The server's own wish, heeded once. */
  #askedDelayMs;
  #connection;
  #timer;

  constructor(options) {
    this.#options = { ...defaults, ...options };
    this.#url = new URL(options.url ?? location.origin);
    this.transport = options.transport === 'sse' ? 'sse' : 'ws';
  }

  watch(channel, { onValue, onClosed }) {
    if (this.#state === 'stopped') throw new Error(`Cannot watch ${channel}: the client is stopped`);
    if (this.#watches.has(channel)) throw new Error(`Cannot watch ${channel}: it is watched already`);
    const watch = { onValue, onClosed, failures: 0 };
    this.#watches.set(channel, watch);
    if (this.#state === 'idle') void this.#connect();
    else this.#connection?.watch?.(channel);
    return () => {
      if (this.#watches.get(channel) !== watch) return;
      this.#connection?.unwatch?.(channel);
      this.#forget(channel);
    };
  }

  stop() {
    this.#watches.clear();
    this.#leave('stopped');
  }

  async #connect() {
    const { token, silenceMs } = this.#options;
    const connection = {};
    this.#connection = connection;
    this.#enter('connecting');
    const parts = { url: this.#url, watches: this.#watches, silenceMs, handlers: this.#handlersOf(connection) };
    try {
      const given = await token();
      if (this.#connection !== connection) return;
      const open = this.transport === 'ws' ? openSocket : openStreams;
      Object.assign(connection, open({ ...parts, token: given }));
    } catch {
      // No token now: asked for again later.
      if (this.#connection === connection) this.#wait();
    }
  }

  /** What an earlier connection has still to say concerns nobody. */
  #handlersOf(connection) {
    const isCurrent = () => this.#connection === connection;
    return {
      onOpen: () => {
        if (!isCurrent()) return;
        // What got through once does so again: later failures are the server's, not a proxy's.
        this.#hasOpened = true;
        this.#enter('open');
      },
      onMessage: (message) => isCurrent() && this.#receive(message),
      onEnd: () => {
        if (!isCurrent()) return;
        this.#chooseTransport();
        this.#wait();
      },
    };
  }

  /** Twice by WebSocket, once by server-sent events, and again: it may be a proxy, or the server is just away. */
  #chooseTransport() {
    if (this.#options.transport !== 'auto' || this.#hasOpened) return;
    this.#tries += 1;
    this.transport = this.#tries % 3 === 2 ? 'sse' : 'ws';
  }

  #wait() {
    this.#connection = undefined;
    const pauseMs = this.#askedDelayMs ?? this.#pauseAfter(this.#failures);
    this.#askedDelayMs = undefined;
    this.#failures += 1;
    this.#timer = setTimeout(() => void this.#connect(), pauseMs);
    this.#enter('waiting');
  }

  /** Full jitter: those who lost the same server do not come back together. */
  #pauseAfter(failures) {
    const { delayMs, delayMaxMs } = this.#options;
    return Math.random() * Math.min(delayMaxMs, delayMs * 2 ** Math.min(failures, 20));
  }

  #receive({ type, channel, version, data, reason, code, afterMs }) {
    const watch = this.#watches.get(channel);
    if (type === 'reconnect') this.#askedDelayMs = afterMs;
    else if (watch === undefined) return;
    else if (type === 'refused' && passing.has(code)) this.#watchLater(channel, watch);
    else if (type === 'refused' || type === 'closed') {
      this.#forget(channel);
      tell(watch.onClosed, reason);
    } else {
      // Only what brings values counts as having come back.
      this.#failures = 0;
      watch.failures = 0;
      if (type === 'resumed' || version <= watch.version) return;
      watch.version = version;
      tell(watch.onValue, data, { channel, version, type });
    }
  }

  /** The other channels of the connection stay. */
  #watchLater(channel, watch) {
    const connection = this.#connection;
    const isWanted = () => this.#connection === connection && this.#watches.get(channel) === watch;
    setTimeout(() => isWanted() && connection.watch(channel), this.#pauseAfter(watch.failures));
    watch.failures += 1;
  }

  #forget(channel) {
    this.#watches.delete(channel);
    if (this.#watches.size === 0) this.#leave('idle');
  }

  #leave(state) {
    clearTimeout(this.#timer);
    const left = this.#connection;
    this.#connection = undefined;
    left?.close?.();
    this.#enter(state);
  }

  #enter(state) {
    if (this.#state === state) return;
    this.#state = state;
    tell(this.#options.onState, state);
  }
}

/** A fault of the page is reported as its own; the client goes on. */
function tell(callback, ...values) {
  try {
    callback?.(...values);
  } catch (error) {
    reportError(error);
  }
}

/** Asks when nothing was heard for half of the time, and gives up after all of it. */
function createSilence(silenceMs, { ask, onSilence }) {
  let timer;
  const heard = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      timer = setTimeout(() => onSilence(), silenceMs / 2);
      ask();
    }, silenceMs / 2);
  };
  heard();
  return { heard, stop: () => clearTimeout(timer) };
}

function openSocket({ url, token, watches, silenceMs, handlers }) {
  const address = new URL('live', url);
  address.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  const socket = new WebSocket(address, ['returnit.live', `bearer.${token}`]);
  const send = (message) => socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify(message));
  // The server's own pings are not shown to a page.
  const silence = createSilence(silenceMs, { ask: () => send({ ping: 1 }), onSilence: end });
  let ended = false;

  function end() {
    if (ended) return;
    ended = true;
    silence.stop();
    socket.close();
    handlers.onEnd();
  }

  socket.addEventListener('open', () => {
    handlers.onOpen();
    // One message each: the server takes up to 8 KiB.
    for (const [channel, { version }] of watches) send({ watch: channel, since: version });
  });
  socket.addEventListener('message', ({ data }) => {
    silence.heard();
    handlers.onMessage(JSON.parse(data));
  });
  socket.addEventListener('close', end);
  return {
    watch: (channel) => send({ watch: channel, since: watches.get(channel)?.version }),
    unwatch: (channel) => send({ unwatch: channel }),
    close: end,
  };
}

/** One stream for each channel, by fetch: a browser's EventSource cannot send a token but in the address. */
function openStreams({ url, token, watches, silenceMs, handlers }) {
  const streams = new Map();
  let ended = false;

  function end() {
    if (ended) return;
    ended = true;
    for (const abort of streams.values()) abort.abort();
    handlers.onEnd();
  }

  async function follow(channel) {
    const abort = new AbortController();
    streams.set(channel, abort);
    // The server sends a heartbeat without being asked.
    const silence = createSilence(silenceMs, { ask: () => undefined, onSilence: () => abort.abort() });
    const onEvent = (message) => {
      if (message.type === 'closed' || message.type === 'refused') streams.delete(channel);
      handlers.onMessage({ ...message, channel });
    };
    try {
      const since = watches.get(channel)?.version;
      const headers = { authorization: `Bearer ${token}`, ...(since === undefined ? {} : { 'last-event-id': since }) };
      const { signal } = abort;
      const response = await fetch(new URL(`live/${channel}`, url), { headers, signal, cache: 'no-store' });
      if (response.ok) {
        handlers.onOpen();
        await readEvents(response.body, silence, onEvent);
      } else {
        const { code, detail } = await response.json();
        if (refusals.has(code)) onEvent({ type: 'refused', code, reason: detail });
      }
    } catch {
      // Lost, or left: as if the server had ended it.
    } finally {
      silence.stop();
    }
    if (streams.get(channel) === abort) end();
  }

  for (const channel of watches.keys()) void follow(channel);
  return {
    watch: (channel) => void follow(channel),
    unwatch(channel) {
      streams.get(channel)?.abort();
      streams.delete(channel);
    },
    close: end,
  };
}

async function readEvents(body, silence, onEvent) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    silence.heard();
    const events = (text + part.value).split('\n\n');
    text = events.pop();
    for (const event of events) {
      const [, type, data] = /^event: (\w+)\ndata: (.*)$/m.exec(event) ?? [];
      if (type !== undefined) onEvent({ type, ...JSON.parse(data) });
    }
  }
}
