/** Globals that open sockets, reach other threads, or compile code; and `fetch`, which becomes ours. */
const removed = [
  'WebSocket',
  'EventSource',
  'BroadcastChannel',
  'WebAssembly',
  'sessionStorage',
  'localStorage',
] as const;

export function lockGlobals(fetch: typeof globalThis.fetch): void {
  for (const name of removed) Reflect.deleteProperty(globalThis, name);
  Object.defineProperty(globalThis, 'fetch', { value: fetch, writable: false, configurable: false, enumerable: true });
}
